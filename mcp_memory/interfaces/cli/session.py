"""From the command line to open services: the configuration, logging, and one run of work."""

import os
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

import anyio
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mcp_memory.app import App, open_app
from mcp_memory.config import Config, load
from mcp_memory.errors import EmbeddingError
from mcp_memory.interfaces.cli.invocation import Invocation
from mcp_memory.interfaces.cli.output import printable
from mcp_memory.interfaces.process import log_to_stderr
from mcp_memory.postgres.session import Session

Result = TypeVar("Result")


def configure(invocation: Invocation, *, agent: str | None = None) -> Config:
    """The settings for a command that ends by itself; it logs what is wrong and no more.

    The configured level is that of servers. --log-level asks for another one here too.
    """
    config = load_config(invocation, agent=agent)
    log_to_stderr(config.log_level if invocation.log_level else "warning")
    return config


def load_config(invocation: Invocation, *, agent: str | None = None) -> Config:
    """The settings of file, environment and options."""
    options = {"agent": agent, "log_level": invocation.log_level}
    return load(invocation.config_file, os.environ, options)


def run(config: Config, work: Callable[[App], Awaitable[Result]]) -> Result:
    """What `work` returns, given an app that is open while it runs."""

    async def work_with_app() -> Result:
        async with open_app(config) as app:
            result = await work(app)
            await app.word_counts.finish()
            return result

    return anyio.run(work_with_app)


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
