"""A process that writes documents, driven line by line: to race with another, and to be killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

import anyio

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.models import WriteDocument

REPOSITORY = Path(__file__).parents[2]


def long_text(path: str) -> str:
    """A text of many chunks that tells by itself whether it is whole."""
    return "\n".join(f"# Part {n} of {path}\n\n" + f"Sentence {n}. " * 40 for n in range(30))


class Writer:
    """The test's end of such a process."""

    def __init__(self, database_url: str, program: str = "tests.documents.writer") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", program, database_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        )

    def __enter__(self) -> Self:
        assert self.receive() == "ready"
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

    def kill(self) -> None:
        """Kill -9; what it has not said by now it never says."""
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.communicate()


async def _answer(app: App, line: str) -> str:
    match line.split(" ", 1):
        case ["long", path]:
            request = WriteDocument(path, long_text(path), mode="create")
        case ["keyed", text]:
            request = WriteDocument("same.md", text, idempotency_key="same")
        case ["same", text]:
            request = WriteDocument("same.md", text, mode="replace")
        case _:
            raise ValueError(line)
    written = await app.documents.write(app.session("alice"), request)
    return f"{written.path} {written.version}"


async def _serve(database_url: str) -> None:
    document = {"database": {"url": database_url}, "embeddings": {"provider": "hashing"}}
    async with open_app(Config.model_validate(document)) as app:
        await app.documents.count(app.session("alice"))
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        while line := (await anyio.to_thread.run_sync(sys.stdin.readline)).strip():
            try:
                answer = await _answer(app, line)
            except Exception as problem:  # the test reads it
                answer = f"{type(problem).__name__}: {problem}"
            sys.stdout.write(answer + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    anyio.run(_serve, sys.argv[1])
