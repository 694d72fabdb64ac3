"""Following transcript files as they grow: what is added is taken, what fails is tried again."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import click
from watchfiles import (
    awatch,  # pyright: ignore[reportUnknownVariableType] it names trio's event, not installed here
)

from mcp_memory.errors import McpMemoryError
from mcp_memory.transcripts.importing.lines import ImportResult

# A line is written in several steps; what comes within this time is read at once.
_PAUSE_MS = 200
# What could not be taken is tried again this often.
_AGAIN_MS = 500


async def follow(
    files: Sequence[Path],
    take: Callable[[Path], Awaitable[ImportResult]],
    report: Callable[[ImportResult], None],
) -> None:
    """Until cancelled, take from each file whatever it gets more.

    The folders are watched, since a rotated file is another one of that name.
    """
    folders = sorted({file.parent for file in files})
    waiting = set(files)
    changes = awatch(
        *folders,
        watch_filter=None,
        debounce=_PAUSE_MS,
        rust_timeout=_AGAIN_MS,
        yield_on_timeout=True,
        recursive=False,
    )
    # Its first answer comes, after at most a pause, once the watches are set: nothing is missed.
    async for batch in changes:
        waiting |= {Path(name) for _, name in batch} & set(files)
        waiting = {file for file in sorted(waiting) if not await _is_taken(file, take, report)}


async def _is_taken(
    file: Path,
    take: Callable[[Path], Awaitable[ImportResult]],
    report: Callable[[ImportResult], None],
) -> bool:
    """Whether all that the file holds is stored; else it is tried again."""
    try:
        report(await take(file))
    except FileNotFoundError:
        return True
    except (McpMemoryError, OSError) as exc:
        click.echo(f"mcp-memory: {file}: {exc}; trying again", err=True)
        return False
    return True
