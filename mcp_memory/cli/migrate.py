"""`mcp-memory migrate`: which migrations a database has, and moving it up and down."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial

import click

from mcp_memory.app import App
from mcp_memory.cli.invocation import Invocation, pass_invocation
from mcp_memory.cli.options import database_option, json_option
from mcp_memory.cli.output import is_interactive, print_json, print_table
from mcp_memory.cli.session import configured, run
from mcp_memory.db import provision
from mcp_memory.db.migrate import Applied, Migration, applied, shipped
from mcp_memory.db.migrate import migrate as bring


@dataclass(frozen=True, slots=True)
class Step:
    """A migration of the files or of the database; `state` compares the two."""

    number: int
    name: str
    state: str
    applied_at: datetime | None


# Where to, given how many migrations the database has and how many are shipped.
Goal = Callable[[int, int], int]


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
    config = configured(invocation)
    have = run(config, partial(_applied, name=database or config.default_database))
    steps = _steps(have, shipped())
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    rows = [(f"{step.number:04}", step.name, step.state, _when(step)) for step in steps]
    print_table(("NUMBER", "NAME", "STATE", "APPLIED"), rows)


async def _applied(app: App, name: str) -> Sequence[Applied]:
    async with app.databases.direct_connection(name, create=False) as conn:
        return await applied(conn)


def _steps(have: Sequence[Applied], known: Sequence[Migration]) -> list[Step]:
    """Every migration that the database or this version knows, by number."""
    done = {each.number: each for each in have}
    steps = [_step(migration, done.pop(migration.number, None)) for migration in known]
    newer = [Step(each.number, each.name, "unknown", each.applied_at) for each in done.values()]
    return steps + newer


def _step(migration: Migration, done: Applied | None) -> Step:
    if done is None:
        return Step(migration.number, migration.name, "pending", None)
    state = "applied" if done.sha256 == migration.sha256 else "changed"
    return Step(migration.number, migration.name, state, done.applied_at)


def _when(step: Step) -> str:
    return f"{step.applied_at:%Y-%m-%d %H:%M:%S %z}" if step.applied_at else "-"


@migrate.command()
@database_option
@pass_invocation
def up(invocation: Invocation, database: str | None) -> None:
    """Apply every migration that is missing; a database that does not exist is created.

    \b
    Example:
      mcp-memory migrate up --database work
    """
    _move(invocation, database, lambda have, known: known)


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
    _move(invocation, database, lambda have, known: max(0, have - count))


@migrate.command()
@click.argument("number", metavar="N", type=click.IntRange(0))
@click.option("--yes", is_flag=True, help="Do not ask.")
@database_option
@pass_invocation
def to(invocation: Invocation, number: int, yes: bool, database: str | None) -> None:
    """Bring the database to migration N exactly, up or down; 0 takes everything back.

    \b
    Example:
      mcp-memory migrate to 2
    """
    _confirm(yes)
    _move(invocation, database, lambda have, known: number)


def _confirm(yes: bool) -> None:
    """Ask a person, if there is one: what the tables held goes with them."""
    if not yes and is_interactive():
        click.confirm(
            "This drops the tables of every migration above the target, with their data. Continue?",
            abort=True,
            err=True,
        )


def _move(invocation: Invocation, database: str | None, goal: Goal) -> None:
    config = configured(invocation)
    name = database or config.default_database
    before, after = run(config, partial(_migrate, name=name, goal=goal))
    click.echo(f"{name}: {_moved(before, after)}")


def _moved(before: int, after: int) -> str:
    return f"at migration {after} already" if before == after else f"migration {before} -> {after}"


async def _migrate(app: App, name: str, goal: Goal) -> tuple[int, int]:
    """The numbers before and after."""
    async with app.databases.direct_connection(name, create=True) as conn:
        layout = await provision.layout_for_migrating(conn, name)
        target = goal(layout.migration, len(shipped()))
        after = await bring(
            conn, layout.roles, layout.search_path, name=name, known=shipped(), target=target
        )
    return layout.migration, after
