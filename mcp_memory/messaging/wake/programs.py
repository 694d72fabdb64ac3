"""One run of a program that wakes an agent: no shell, its output nobody's, a limit to its time.

The program reads the cue as JSON on its input and finds it in its environment; it stands in a
process group of its own, which is killed when the attempt is over before it is.
"""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio
from anyio.abc import Process

from mcp_memory.messaging.wake.models import Outcome

_OURS = "MCP_MEMORY_"


async def run(command: Sequence[str], cue: bytes, variables: Mapping[str, str]) -> Outcome:
    """Run it to its end; a cancelled caller leaves nothing of it running."""
    try:
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            env={**_inherited(), **variables},
        )
    except OSError as exc:
        return Outcome(f"the program cannot be started: {exc.strerror}", is_refusal=True)
    try:
        await _tell(process, cue)
        code = await process.wait()
    finally:
        await _end(process)
    return Outcome() if code == 0 else Outcome(f"the program ended with code {code}")


def _inherited() -> dict[str, str]:
    """The environment without our settings, which may hold a password."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}


async def _tell(process: Process, cue: bytes) -> None:
    assert process.stdin is not None
    # A program need not read what it is sent.
    with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
        await process.stdin.send(cue)
    with suppress(anyio.BrokenResourceError, OSError):
        await process.stdin.aclose()


async def _end(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        await process.aclose()
