"""`mcp-memory graph`: which entities are one, and what of a source is to be forgotten."""

from collections.abc import Sequence
from functools import partial

import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import database_option, json_option
from mcp_memory.interfaces.cli.output import print_json, print_table
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.memory.facts.identity import EntitySummary
from mcp_memory.memory.facts.model import entity_id

_PAGE = 500


@click.group()
def graph() -> None:
    """List, join and part entities; forget what came from a source.

    The memories are those of the configured agent.

    \b
    Example:
      mcp-memory graph merge "Bob" "Robert Smith"
    """


@graph.command()
@click.argument("prefix", default="")
@database_option
@json_option
@pass_invocation
def entities(invocation: Invocation, prefix: str, database: str | None, as_json: bool) -> None:
    """List whom and what the memories speak of.

    \b
    Example:
      mcp-memory graph entities ada
    """
    rows = run(configure(invocation), partial(_entities, prefix=prefix, database=database))
    if as_json:
        print_json({"entities": [_as_json(entity) for entity in rows]})
        return
    print_table(
        ("id", "name", "type", "memories", "also"),
        [
            (
                entity_id(entity.id),
                entity.name,
                entity.type,
                str(entity.memories),
                ", ".join(entity.aliases),
            )
            for entity in rows
        ],
    )


async def _entities(app: App, prefix: str, database: str | None) -> list[EntitySummary]:
    session = app.session(app.config.agent, database)
    rows: list[EntitySummary] = []
    while True:
        after = rows[-1].id if rows else 0
        page = await app.identity.list(session, prefix=prefix, after=after, limit=_PAGE)
        rows += page
        if len(page) < _PAGE:
            return rows


def _as_json(entity: EntitySummary) -> dict[str, object]:
    return {
        "id": entity_id(entity.id),
        "name": entity.name,
        "type": entity.type,
        "aliases": entity.aliases,
        "memories": entity.memories,
    }


@graph.command()
@click.argument("gone")
@click.argument("kept")
@database_option
@json_option
@pass_invocation
def merge(
    invocation: Invocation, gone: str, kept: str, database: str | None, as_json: bool
) -> None:
    """Make GONE another name of KEPT; each is a name or an id.

    \b
    Example:
      mcp-memory graph merge e17 "Robert Smith"
    """
    config = configure(invocation)

    async def work(app: App) -> str:
        return await app.identity.merge(app.session(app.config.agent, database), gone, kept)

    id = run(config, work)
    if as_json:
        print_json({"id": id})
    else:
        click.echo(f"{gone} is now another name of {kept} ({id}).")


@graph.command()
@click.argument("entity")
@click.argument("names", nargs=-1, required=True)
@database_option
@json_option
@pass_invocation
def split(
    invocation: Invocation,
    entity: str,
    names: Sequence[str],
    database: str | None,
    as_json: bool,
) -> None:
    """Make what goes by NAMES of ENTITY an entity of its own.

    It takes with it what was said of it under these names. So a merge is undone.

    \b
    Example:
      mcp-memory graph split "Robert Smith" Bob
    """
    config = configure(invocation)

    async def work(app: App) -> str:
        return await app.identity.split(app.session(app.config.agent, database), entity, names)

    id = run(config, work)
    if as_json:
        print_json({"id": id})
    else:
        click.echo(f"{', '.join(names)} is now {id}.")


@graph.command()
@click.argument("source")
@click.option("--dry-run", is_flag=True, help="Count, and forget nothing.")
@database_option
@json_option
@pass_invocation
def revoke(
    invocation: Invocation, source: str, dry_run: bool, database: str | None, as_json: bool
) -> None:
    """Forget every memory that came from SOURCE.

    Each can be brought back for a while, by memory_graph_forget with undo.

    \b
    Example:
      mcp-memory graph revoke https://rumours.example --dry-run
    """
    config = configure(invocation)

    async def work(app: App) -> list[str]:
        session = app.session(app.config.agent, database)
        return await app.forgetting.revoke(session, source, dry_run=dry_run)

    ids = run(config, work)
    if as_json:
        print_json({"ids": ids, "dry_run": dry_run})
    else:
        click.echo(f"{'Would forget' if dry_run else 'Forgot'} {len(ids)} memories.")
