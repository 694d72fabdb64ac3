"""`mcp-memory index`: folders of Markdown and text into the memory, once or as they change."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path

import anyio
import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.files import (
    PATTERNS,
    Account,
    Attributes,
    Selection,
    SourceFile,
    Target,
    Watch,
    write_files,
)
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import agent_option, database_option, json_option
from mcp_memory.interfaces.cli.output import print_json, printable
from mcp_memory.interfaces.cli.session import bar, configure, embed_due, run


@dataclass(frozen=True, slots=True)
class Options:
    """What comes after the first pass, and how it is printed."""

    watch: bool
    delete: bool
    as_json: bool


@click.command()
@click.argument(
    "paths",
    metavar="PATH...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path, resolve_path=True),
)
@click.option("--prefix", default="", metavar="PATH", help="Put before each document's path.")
@click.option(
    "--glob",
    "patterns",
    multiple=True,
    metavar="PATTERN",
    help=f"Names to take from folders; repeatable. Default: {' '.join(PATTERNS)}",
)
@click.option("--tags", metavar="TAG,TAG", help="Tags for every document.")
@click.option("--shared", is_flag=True, help="Let every agent read them.")
@click.option("--follow-links", is_flag=True, help="Take what symbolic links lead to.")
@click.option("--watch", is_flag=True, help="Go on, and follow every change until Ctrl-C.")
@click.option("--delete", is_flag=True, help="With --watch: delete documents of removed files.")
@agent_option
@database_option
@json_option
@pass_invocation
def index(
    invocation: Invocation,
    paths: Sequence[Path],
    prefix: str,
    patterns: Sequence[str],
    tags: str | None,
    shared: bool,
    follow_links: bool,
    watch: bool,
    delete: bool,
    agent: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Write Markdown and text files into the memory.

    Each PATH is a file or a folder. A document is called like its file, seen from the folder
    given. A file that has not changed makes no new version. What cannot be taken is skipped and
    named: links, hidden folders, binary files, what is not UTF-8 or over limits.content_bytes.

    \b
    Example:
      mcp-memory index ~/notes --prefix notes --watch
    """
    if delete and not watch:
        raise click.UsageError("--delete needs --watch: only then is it seen that a file goes.")
    config = configure(invocation, agent=agent)
    attributes = Attributes(
        shared=True if shared else None,
        tags=None if tags is None else [tag.strip() for tag in tags.split(",")],
    )
    selection = Selection(list(dict.fromkeys(paths)), patterns or PATTERNS, prefix, follow_links)
    options = Options(watch, delete, as_json)
    run(
        config,
        partial(
            _index, selection=selection, database=database, attributes=attributes, options=options
        ),
    )


async def _index(
    app: App, selection: Selection, database: str | None, attributes: Attributes, options: Options
) -> None:
    session = app.session(app.config.agent, database)
    target = Target(app.documents, session, attributes, app.config.limits.content_bytes)
    if not options.watch:
        await _first_pass(app, selection, target, options)
        return
    async with anyio.create_task_group() as tasks:
        # Watched first, so that nothing is missed that changes during the first pass.
        watch = Watch(selection, target, options.delete, _say)
        await tasks.start(watch.follow)
        await _first_pass(app, selection, target, options)
        _say("watching; Ctrl-C ends it")


async def _first_pass(app: App, selection: Selection, target: Target, options: Options) -> None:
    files = await anyio.to_thread.run_sync(lambda: list(selection.find()))
    with _progress(sum(isinstance(file, SourceFile) for file in files)) as advance:
        account = await write_files(target, files, advance)
    await embed_due(app, target.session)
    # Several are read at a time: without this the order would be another one in each run.
    account.skipped.sort(key=lambda skipped: skipped.file)
    if options.as_json:
        _print_json(account)
        return
    for skipped in account.skipped:
        _say(f"skipped {skipped.file}: {skipped.reason}", err=True)
    _say(account.summary)


def _print_json(account: Account) -> None:
    skipped = [{"file": str(file.file), "reason": file.reason} for file in account.skipped]
    print_json(
        {
            "written": sorted(source.path for source in account.written),
            "unchanged": len(account.unchanged),
            "skipped": skipped,
        }
    )


def _say(line: str, *, err: bool = False) -> None:
    click.echo(printable(line.encode(errors="replace").decode()), err=err)


@contextmanager
def _progress(total: int) -> Generator[Callable[[], None]]:
    """A bar on a terminal's stderr, nothing elsewhere; called once for each file that is done."""
    done = count(1)
    with bar("indexing") as advance:
        advance(0, total)
        yield lambda: advance(next(done), total)
