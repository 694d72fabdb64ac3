"""`mcp-memory migrate`: which migrations a database has, and moving it up and down."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import is_interactive, print_json, print_table
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.postgres import provision
from mcp_memory.postgres.migrate import (
    AppliedMigration,
    Migration,
    list_applied,
    list_shipped,
    newest,
)
from mcp_memory.postgres.migrate import migrate as bring


@dataclass(frozen=True, slots=True)
class Step:
    """A migration of the files or of the database; `state` compares the two."""

    number: int
    name: str
    state: str
    applied_at: datetime | None


# Where to, given the number that the database has.
Goal = Callable[[int], int]


@click.group()
def migrate() -> None:
    """Manage a database's migrations.

    Databases are migrated when they are first used: these commands are for going back, and for
    doing it at a time of one's own choosing.

    \b
    Example:
      mcp-memory migrate status
    """


@migrate.command()
@database_option
@json_option
@pass_invocation
def status(invocation: Invocation, database: str | None, as_json: bool) -> None:
    """List the migrations; nothing is changed.

    \b
    Example:
      mcp-memory migrate status --database work
    """
    config = configure(invocation)
    have = run(config, partial(_list_applied, name=database or config.default_database))
    steps = _steps(have, list_shipped())
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    rows = [(f"{step.number:04}", step.name, step.state, _when(step)) for step in steps]
    print_table(("NUMBER", "NAME", "STATE", "APPLIED"), rows)


async def _list_applied(app: App, name: str) -> Sequence[AppliedMigration]:
    async with app.databases.direct_connection(name, create=False) as conn:
        return await list_applied(conn)


def _steps(have: Sequence[AppliedMigration], migrations: Sequence[Migration]) -> list[Step]:
    """Every migration that the database or this version knows, by number."""
    done = {step.number: step for step in have}
    steps = [_step(migration, done.pop(migration.number, None)) for migration in migrations]
    newer = [Step(step.number, step.name, "unknown", step.applied_at) for step in done.values()]
    return steps + newer


def _step(migration: Migration, done: AppliedMigration | None) -> Step:
    if done is None:
        return Step(migration.number, migration.name, "pending", None)
    state = "applied" if done.sha256 == migration.sha256 else "changed"
    return Step(migration.number, migration.name, state, done.applied_at)


def _when(step: Step) -> str:
    return f"{step.applied_at:%Y-%m-%d %H:%M:%S %z}" if step.applied_at else "-"


@migrate.command()
@click.option(
    "--dump",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to dump a database of an unreleased build (migration 19) before it is taken over.",
)
@click.option("--no-dump", is_flag=True, help="Take such a database over without a dump.")
@database_option
@pass_invocation
def up(invocation: Invocation, file: Path | None, no_dump: bool, database: str | None) -> None:
    """Apply every migration that is missing; a database that does not exist is created.

    A database of an unreleased build is taken over, once nobody else uses it. An embedded one is
    dumped beside its cluster by itself.

    \b
    Example:
      mcp-memory migrate up --database work
    """
    if file is not None and no_dump:
        raise click.UsageError("--dump and --no-dump exclude each other.")
    if file is not None or no_dump:
        dump = file.absolute() if file is not None else None
        run(configure(invocation), partial(_take_over, database=database, file=dump))
    _move(invocation, database, lambda have: newest(list_shipped()))


async def _take_over(app: App, database: str | None, file: Path | None) -> None:
    await app.transfer.take_over(app.mail_session("", database), file=file)


@migrate.command()
@click.argument("count", metavar="[N]", type=click.IntRange(1), default=1)
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@pass_invocation
def down(invocation: Invocation, count: int, yes: bool, database: str | None) -> None:
    """Take back the last N migrations (default 1), with the tables that they made.

    \b
    Example:
      mcp-memory migrate down 2 --database scratch
    """
    _confirm(yes)
    _move(invocation, database, lambda have: _below(have, count))


def _below(have: int, count: int) -> int:
    """The number that a database has after its last `count` migrations are taken back."""
    kept = [step.number for step in list_shipped() if step.number <= have - count]
    return kept[-1] if kept else 0


@migrate.command()
@click.argument("number", metavar="N", type=click.IntRange(0))
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@pass_invocation
def to(invocation: Invocation, number: int, yes: bool, database: str | None) -> None:
    """Bring the database to migration N exactly, up or down; 0 takes everything back.

    \b
    Example:
      mcp-memory migrate to 21
    """
    _confirm(yes)
    _move(invocation, database, lambda have: number)


def _confirm(yes: bool) -> None:
    """Ask a person, if there is one: what the tables held goes with them."""
    if not yes and is_interactive():
        click.confirm(
            "This drops the tables of every migration above the target, with their data. Continue?",
            abort=True,
            err=True,
        )


def _move(invocation: Invocation, database: str | None, goal: Goal) -> None:
    config = configure(invocation)
    name = database or config.default_database
    before, after = run(config, partial(_migrate, name=name, goal=goal))
    click.echo(f"{name}: {_describe_move(before, after)}")


def _describe_move(before: int, after: int) -> str:
    return f"at migration {after} already" if before == after else f"migration {before} -> {after}"


async def _migrate(app: App, name: str, goal: Goal) -> tuple[int, int]:
    """The numbers before and after."""
    async with app.databases.direct_connection(name, create=True) as conn:
        layout = await provision.layout_for_migrating(conn, name)
        if (dump := app.databases.dump_before_take_over(name)) is not None:
            await provision.take_over(conn, layout, name, dump)
        target = goal(layout.migration)
        after = await bring(
            conn,
            layout.roles,
            layout.search_path,
            name=name,
            migrations=list_shipped(),
            target=target,
        )
    return layout.migration, after
