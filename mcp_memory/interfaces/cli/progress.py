"""The vectors that a command's writes did not wait for, and the bars that commands show."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mcp_memory.app import App
from mcp_memory.errors import EmbeddingError
from mcp_memory.interfaces.cli.output import printable
from mcp_memory.postgres.session import Session


async def embed_due(app: App, session: Session) -> None:
    """Fill the vectors that are still to come; without them meaning finds nothing."""
    try:
        space = await app.spaces.active(session)
        if space is None:
            return
        with bar("vectors") as advance:
            await app.spaces.administration.embed_due(session, space, progress=advance)
    except EmbeddingError as exc:
        consequence = f"found by words alone until `mcp-memory embeddings backfill`: {exc}"
        click.echo(printable(consequence), err=True)


@contextmanager
def bar(what: str) -> Generator[Callable[[int, int], None]]:
    """A bar on a terminal's stderr, nothing elsewhere; told how much is done, and of how much."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
