"""psql as a child, told its address through the environment: no list of processes shows that."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

import anyio.to_thread
from psycopg.pq import Conninfo

from mcp_memory.db.embedded_binaries import wheel_binaries

_SEARCH_PATH = "-c search_path=mcp_memory,public"


async def run_psql(url: str, arguments: Sequence[str], *, is_embedded: bool) -> int:
    """psql's exit code. Ctrl-C is psql's own, which cancels a query and not the shell."""
    conninfo, environment = _address(url)
    command = [_program(is_embedded=is_embedded), conninfo, *arguments]
    # A handler, not SIG_IGN: an ignored signal would stay ignored in psql.
    before = signal.signal(signal.SIGINT, _leave_it_to_psql)
    try:
        return await anyio.to_thread.run_sync(lambda: _run(command, environment))
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_it_to_psql(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches psql too, which belongs to the same terminal."""


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    return subprocess.run(command, env=dict(environment), check=False).returncode


def _program(*, is_embedded: bool) -> str:
    """The embedded cluster's own psql; elsewhere the system's, which speaks TLS, comes first."""
    on_path = None if is_embedded else shutil.which("psql")
    return on_path or str(wheel_binaries() / "psql")


def _address(url: str) -> tuple[str, dict[str, str]]:
    """What psql is told: parameters that have a variable through it, the others as conninfo."""
    environment = {name: text for name, text in os.environ.items() if not name.startswith("PG")}
    options = [_SEARCH_PATH]
    conninfo: list[str] = []
    for parameter in Conninfo.parse(url.encode()):
        if not parameter.val:
            continue
        keyword, value = parameter.keyword.decode(), parameter.val.decode()
        if keyword == "options":
            options.append(value)
        elif parameter.envvar:
            environment[parameter.envvar.decode()] = value
        else:
            conninfo.append(f"{keyword}={_quoted(value)}")
    environment["PGOPTIONS"] = " ".join(options)
    return " ".join(conninfo), environment


def _quoted(value: str) -> str:
    escaped = value.replace("\\", r"\\").replace("'", r"\'")
    return f"'{escaped}'"
