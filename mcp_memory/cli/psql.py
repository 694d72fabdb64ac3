"""psql as a child at the same terminal."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from types import FrameType

import anyio.to_thread

from mcp_memory.db.programs import client_address, client_program

_SEARCH_PATH = "search_path=mcp_memory,public"


async def run_psql(url: str, arguments: Sequence[str], *, is_embedded: bool) -> int:
    """psql's exit code. Ctrl-C is psql's own, which cancels a query and not the shell."""
    conninfo, environment = client_address(url, [_SEARCH_PATH])
    command = [client_program("psql", prefers_system=not is_embedded), conninfo, *arguments]
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
