"""`mcp-memory transcript`: conversations out of files, once or as they grow, and old ones away."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
from watchfiles import (
    awatch,  # pyright: ignore[reportUnknownVariableType] it names trio's event, not installed here
)

from mcp_memory.app import App
from mcp_memory.config import RetentionRule
from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces.cli.invocation import Failure, Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import agent_option, database_option, json_option
from mcp_memory.interfaces.cli.output import (
    count_noun,
    print_json,
    print_table,
    printable,
    readable_size,
)
from mcp_memory.interfaces.cli.session import configure, embed_due, run
from mcp_memory.memory.conversations.imports.formats import FORMATS, FormatName
from mcp_memory.memory.conversations.imports.importer import ImportResult
from mcp_memory.memory.conversations.models import Removal

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


@click.group()
def transcript() -> None:
    """Import conversations from files, and remove old ones.

    \b
    Example:
      mcp-memory transcript import ~/.claude/projects/*/*.jsonl
    """


@transcript.command("import")
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True),
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    show_default=True,
    help="What wrote the files; jsonl is our own shape.",
)
@click.option("--watch", is_flag=True, help="Go on, and take what is added until Ctrl-C.")
@agent_option
@database_option
@json_option
@pass_invocation
def import_(
    invocation: Invocation,
    files: Sequence[Path],
    format_name: str,
    watch: bool,
    agent: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Take the conversations in each FILE into the memory, word for word.

    What was taken before is not taken again: the place in each file is kept in the database, and
    each message is known by its id. Heartbeats and recalled memories are left out, secrets are
    redacted, what tools said is kept but found only when asked for. A FILE none of whose finished
    lines is a message is an error; the others are taken all the same.

    \b
    Example:
      mcp-memory transcript import ~/.claude/projects/*/*.jsonl --watch
    """
    config = configure(invocation, agent=agent)
    format_: FormatName | None = next((name for name in FORMATS if name == format_name), None)
    files = list(dict.fromkeys(files))
    work = partial(_import, files=files, format_name=format_, database=database)
    run(config, partial(work, watch=watch, as_json=as_json))


async def _import(
    app: App,
    files: Sequence[Path],
    format_name: FormatName | None,
    database: str | None,
    watch: bool,
    as_json: bool,
) -> None:
    agent = app.config.agent
    take = partial(app.importer.take, app.session(agent, database), format_name=format_name)
    if watch:
        await follow(files, take, partial(_print_news, as_json=as_json))
        return
    results = [await take(path) for path in files]
    await embed_due(app, app.session(agent, database))
    if as_json:
        print_json([asdict(result) for result in results])
    else:
        for result in results:
            if result.understood:
                _print_result(result)
    _fail_if_not_understood(results)


def _fail_if_not_understood(results: Sequence[ImportResult]) -> None:
    if strange := [result for result in results if not result.understood]:
        raise Failure(
            f"no line of {' and '.join(result.path for result in strange)} is a message:"
            f" {strange[0].problems[0]}"
        )


def _print_result(result: ImportResult) -> None:
    counts = (
        count_noun(result.appended, "message"),
        f"{result.duplicates} known already" if result.duplicates else "",
        f"{result.ignored} left out" if result.ignored else "",
        f"{count_noun(result.bad_lines, 'line')} not understood" if result.bad_lines else "",
    )
    kind = f" ({result.format})" if result.format else ""
    click.echo(printable(f"{result.path}{kind}: {', '.join(count for count in counts if count)}"))
    for session in result.sessions:
        click.echo(printable(f"  session {session}"))
    for problem in result.problems:
        click.echo(printable(f"  {problem}"), err=True)


def _print_news(result: ImportResult, *, as_json: bool) -> None:
    """Print what is new, if anything is."""
    if not (result.appended or result.bad_lines):
        return
    if as_json:
        print_json(asdict(result))
    else:
        _print_result(result)


@transcript.command()
@click.option("--source", metavar="NAME", help="Only of this source; default: as configured.")
@click.option(
    "--older-than",
    type=click.FloatRange(min=0, min_open=True),
    metavar="DAYS",
    help="With --source.",
)
@click.option("--larger-than", type=click.IntRange(min=0), metavar="BYTES", help="With --source.")
@click.option("--unsummarized", is_flag=True, help="With --source: also what no summary covers.")
@click.option("--dry-run", is_flag=True, help="Count, and remove nothing.")
@database_option
@json_option
@pass_invocation
def prune(
    invocation: Invocation,
    source: str | None,
    older_than: float | None,
    larger_than: int | None,
    unsummarized: bool,
    dry_run: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Remove old messages for good: by transcripts.retention, or as the options say.

    Whole spans go, and only those that a summary covers; the summaries stay.

    \b
    Example:
      mcp-memory transcript prune --source claude-code --older-than 365 --dry-run
    """
    if source is None and (older_than is not None or larger_than is not None or unsummarized):
        raise click.UsageError("--older-than, --larger-than and --unsummarized need --source.")
    if source is not None and older_than is None and larger_than is None:
        raise click.UsageError("--source needs --older-than or --larger-than.")
    config = configure(invocation)
    rule = RetentionRule(
        max_days=older_than, max_bytes=larger_than, only_summarized=not unsummarized
    )
    work = partial(_prune, source=source, rule=rule, dry_run=dry_run, database=database)
    removals = run(config, work)
    if as_json:
        print_json([asdict(removal) | {"dry_run": dry_run} for removal in removals])
        return
    rows = [
        [removal.source, str(removal.messages), readable_size(removal.bytes)]
        for removal in removals
    ]
    print_table(["source", "would be removed" if dry_run else "removed", "size"], rows)


async def _prune(
    app: App, source: str | None, rule: RetentionRule, dry_run: bool, database: str | None
) -> list[Removal]:
    session = app.session(app.config.agent, database)
    if source is None:
        return await app.retention.apply(session, dry_run=dry_run)
    return [await app.retention.remove(session, source, rule, dry_run=dry_run)]
