"""A process that uses an embedded cluster, driven line by line: to be asked, and to be killed."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path
from typing import Self

import psycopg
import pytest

from mcp_memory.postgres.embedded.cluster import EmbeddedCluster

REPOSITORY = Path(__file__).parents[2]
_ENVIRONMENT = {"PYTHONPATH": sysconfig.get_path("purelib"), "PYTHONDONTWRITEBYTECODE": "1"}


@cache
def python_for(uid: int) -> str:
    """A Python of our version that another user may run: ours may lie in root's home."""
    for python in (sys.executable, f"/usr/bin/python{sys.version_info[0]}.{sys.version_info[1]}"):
        enter = [python, "-c", "import psycopg, mcp_memory.postgres.embedded.cluster"]
        with contextlib.suppress(OSError):
            environment = os.environ | _ENVIRONMENT
            if not subprocess.run(
                enter, user=uid, extra_groups=[], cwd=REPOSITORY, env=environment, check=False
            ).returncode:
                return python
    pytest.skip("no Python here that another user may run")


class ClusterUser:
    """The test's end of such a process."""

    def __init__(
        self, data_dir: Path, *, uid: int | None = None, environment: dict[str, str] | None = None
    ) -> None:
        python = sys.executable if uid is None else python_for(uid)
        self._process = subprocess.Popen(
            [python, "-m", "tests.db.embedded_user", str(data_dir)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | _ENVIRONMENT | (environment or {}),
            user=uid,
            group=None if uid is None else pwd.getpwuid(uid).pw_gid,
            extra_groups=[] if uid is not None else None,
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_unused: object) -> None:
        self.kill()

    def send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def receive(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")

    def ask(self, line: str) -> str:
        self.send(line)
        return self.receive()

    def kill(self) -> None:
        """Kill -9 of its process group, as an impatient client does it; idempotent."""
        if self._process.returncode is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _answer(cluster: EmbeddedCluster, line: str) -> str:
    match line.split(" ", 1):
        case ["start"]:
            cluster.start()
        case ["ensure_running"]:
            cluster.ensure_running()
        case ["leave"]:
            cluster.leave()
        case ["sql", statement]:
            with psycopg.connect(cluster.url(), autocommit=True) as conn:
                cursor = conn.execute(statement.encode())
                return str(cursor.fetchall()) if cursor.description else "done"
        case _:
            raise ValueError(line)
    return "done"


def main() -> None:
    cluster = EmbeddedCluster(Path(sys.argv[1]))
    for line in sys.stdin:
        try:
            answer = _answer(cluster, line.strip())
        except Exception as problem:  # the test reads it
            answer = f"{type(problem).__name__}: {problem}".replace("\n", " | ")
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
