"""`mcp-memory transcript`: conversations out of files, once or as they grow, and old ones away."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from mcp_memory.app import App
from mcp_memory.cli.failure import Failure
from mcp_memory.cli.filling import embed_due
from mcp_memory.cli.following import follow
from mcp_memory.cli.invocation import Invocation, pass_invocation
from mcp_memory.cli.options import agent_option, database_option, json_option
from mcp_memory.cli.output import (
    counted,
    print_json,
    print_table,
    printable,
    readable_size,
)
from mcp_memory.cli.session import configured, run
from mcp_memory.config import RetentionRule
from mcp_memory.transcripts.importing.formats import FORMATS, FormatName
from mcp_memory.transcripts.importing.lines import Imported
from mcp_memory.transcripts.models import Removed


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
    config = configured(invocation, agent=agent)
    chosen: FormatName | None = next((each for each in FORMATS if each == format_name), None)
    work = partial(_import, files=list(dict.fromkeys(files)), format_name=chosen, database=database)
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
    take = partial(app.importer.take, agent, format_name=format_name, database=database)
    if watch:
        await follow(files, take, partial(_tell_news, as_json=as_json))
        return
    taken = [await take(path) for path in files]
    await embed_due(app, app.session(agent, database))
    if as_json:
        print_json([asdict(each) for each in taken])
    else:
        for each in taken:
            if each.understood:
                _tell(each)
    _fail_if_not_understood(taken)


def _fail_if_not_understood(taken: Sequence[Imported]) -> None:
    if strange := [each for each in taken if not each.understood]:
        raise Failure(
            f"no line of {' and '.join(each.path for each in strange)} is a message:"
            f" {strange[0].problems[0]}"
        )


def _tell(taken: Imported) -> None:
    counts = (
        counted(taken.appended, "message"),
        f"{taken.duplicates} known already" if taken.duplicates else "",
        f"{taken.ignored} left out" if taken.ignored else "",
        f"{counted(taken.bad_lines, 'line')} not understood" if taken.bad_lines else "",
    )
    kind = f" ({taken.format})" if taken.format else ""
    click.echo(printable(f"{taken.path}{kind}: {', '.join(count for count in counts if count)}"))
    for session in taken.sessions:
        click.echo(printable(f"  session {session}"))
    for problem in taken.problems:
        click.echo(printable(f"  {problem}"), err=True)


def _tell_news(taken: Imported, *, as_json: bool) -> None:
    """Say what is new, if anything is."""
    if not (taken.appended or taken.bad_lines):
        return
    if as_json:
        print_json(asdict(taken))
    else:
        _tell(taken)


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
    config = configured(invocation)
    rule = RetentionRule(
        max_days=older_than, max_bytes=larger_than, only_summarized=not unsummarized
    )
    work = partial(_prune, source=source, rule=rule, dry_run=dry_run, database=database)
    removed = run(config, work)
    if as_json:
        print_json([asdict(each) | {"dry_run": dry_run} for each in removed])
        return
    rows = [[each.source, str(each.messages), readable_size(each.bytes)] for each in removed]
    print_table(["source", "would be removed" if dry_run else "removed", "size"], rows)


async def _prune(
    app: App, source: str | None, rule: RetentionRule, dry_run: bool, database: str | None
) -> list[Removed]:
    agent, retention = app.config.agent, app.retention
    if source is None:
        return await retention.apply(agent, dry_run=dry_run, database=database)
    return [await retention.remove(agent, source, rule, dry_run=dry_run, database=database)]
