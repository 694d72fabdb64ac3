"""`mcp-memory databases`: the named databases, listed, made, dropped and entered."""

import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import FrameType

import anyio.to_thread
import click

from mcp_memory.app import App
from mcp_memory.config import mask_url
from mcp_memory.errors import UnknownDatabase
from mcp_memory.interfaces.cli.invocation import Failure, Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import agent_option, json_option
from mcp_memory.interfaces.cli.output import is_interactive, print_json, print_table, readable_size
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.postgres.catalog import DatabaseEntry
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.programs import client_address, client_program

_SEARCH_PATH = "search_path=mcp_memory,public"


async def run_psql(url: str, arguments: Sequence[str], *, is_embedded: bool) -> int:
    """psql's exit code. Ctrl-C is psql's own, which cancels a query and not the shell."""
    conninfo, environment = client_address(url, [_SEARCH_PATH])
    command = [client_program("psql", prefers_system=not is_embedded), conninfo, *arguments]
    # A handler, not SIG_IGN: an ignored signal would stay ignored in psql.
    before = signal.signal(signal.SIGINT, _leave_it_to_psql)
    try:
        return await anyio.to_thread.run_sync(lambda: _run(command, environment))
    finally:
        signal.signal(signal.SIGINT, before)


def _leave_it_to_psql(number: int, frame: FrameType | None) -> None:
    """Ctrl-C reaches psql too, which belongs to the same terminal."""


def _run(command: Sequence[str], environment: Mapping[str, str]) -> int:
    return subprocess.run(command, env=dict(environment), check=False).returncode


@click.group()
def databases() -> None:
    """Manage named databases.

    One is made by its first write too; `list` shows all that there are.

    \b
    Example:
      mcp-memory databases list
    """


@databases.command("list")
@json_option
@pass_invocation
def list_databases(invocation: Invocation, as_json: bool) -> None:
    """List every named database: configured, registered, or derived and on the server.

    The exit code is 1 when one of them cannot be reached.

    \b
    Example:
      mcp-memory databases list --json
    """
    config = configure(invocation)
    entries = run(config, _entries)
    default = config.default_database
    if as_json:
        print_json([asdict(entry) | {"is_default": entry.name == default} for entry in entries])
    else:
        rows = [_row(entry, is_default=entry.name == default) for entry in entries]
        print_table(("NAME", "DEFAULT", "STATUS", "SIZE", "URL"), rows)
    if silent := [entry.name for entry in entries if entry.status == "unavailable"]:
        raise Failure(f"unavailable: {', '.join(silent)}. `mcp-memory doctor` says more.")


async def _entries(app: App) -> Sequence[DatabaseEntry]:
    return await app.databases.list()


def _row(entry: DatabaseEntry, *, is_default: bool) -> tuple[str, ...]:
    status = f"{entry.status}: {entry.problem}" if entry.problem else entry.status
    size = readable_size(entry.size_bytes) if entry.size_bytes else "-"
    return (entry.name, "*" if is_default else "", status, size, entry.url)


@databases.command()
@click.argument("name")
@click.option("--url", metavar="URL", help="Where it is; default: beside the main database.")
@click.option("--persist", is_flag=True, help="Remember the URL for every later process.")
@agent_option
@pass_invocation
def create(
    invocation: Invocation, name: str, url: str | None, persist: bool, agent: str | None
) -> None:
    """Create the database NAME, or take in one that exists, and migrate it.

    \b
    Example:
      mcp-memory databases create work
    """
    config = configure(invocation, agent=agent)
    run(config, partial(_register, name=name, url=url, persist=persist))
    click.echo(f"The database {name} is ready.")
    if url is not None and not persist and name not in config.databases:
        click.echo("Its URL is not remembered: pass --persist, or put it into the settings.")


async def _register(app: App, name: str, url: str | None, persist: bool) -> None:
    await app.databases.register(name, app.config.agent, url=url, persist=persist)


@databases.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Even if it is the default database.")
@pass_invocation
def drop(invocation: Invocation, name: str, yes: bool, force: bool) -> None:
    """Drop the database NAME with everything that is remembered in it.

    \b
    Example:
      mcp-memory databases drop scratch --yes
    """
    config = configure(invocation)
    if name == config.default_database and not force:
        raise click.UsageError(f"{name} is the default database: --force drops it all the same.")
    if not yes:
        _ask_to_drop(name)
    run(config, partial(_drop, name=name))
    click.echo(f"The database {name} is gone.")


def _ask_to_drop(name: str) -> None:
    if not is_interactive():
        raise click.UsageError(f"Pass --yes to confirm that {name} is dropped with all it holds.")
    click.confirm(f"Drop {name} with everything in it, for good?", abort=True, err=True)


async def _drop(app: App, name: str) -> None:
    await app.databases.drop(name)


@databases.command()
@click.argument("name", required=False)
@click.option("--show-password", is_flag=True, help="Print the password too.")
@pass_invocation
def url(invocation: Invocation, name: str | None, show_password: bool) -> None:
    """Print the URL of the database NAME, or of the default one, its password masked.

    The embedded PostgreSQL answers while a process of mcp-memory uses it; `databases shell` does.

    \b
    Example:
      pg_dump "$(mcp-memory databases url work --show-password)"
    """
    config = configure(invocation)
    address = run(config, partial(_url, name=name or config.default_database))
    click.echo(address if show_password else mask_url(address))


async def _url(app: App, name: str) -> str:
    return await _existing_url(app.databases, name)


async def _existing_url(databases: Databases, name: str) -> str:
    """The URL of a database that there is; only registered and derived ones need the server."""
    if name != databases.configured_default:
        names = await databases.names()
        if name not in names:
            raise UnknownDatabase(name, names, advice="`mcp-memory databases create` makes one.")
    return databases.url_of(name)


@databases.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", metavar="[NAME] [PSQL_ARGUMENT]...", nargs=-1, type=click.UNPROCESSED)
@pass_invocation
@click.pass_context
def shell(ctx: click.Context, invocation: Invocation, words: Sequence[str]) -> None:
    """Open psql in the database NAME, or in the default one.

    What follows goes to psql. The embedded PostgreSQL runs as long as the shell does.

    \b
    Example:
      mcp-memory databases shell main -c 'SELECT path, version FROM documents'
    """
    config = configure(invocation)
    is_named = bool(words) and not words[0].startswith("-")
    name = words[0] if is_named else config.default_database
    arguments = words[1:] if is_named else words
    ctx.exit(run(config, partial(_shell, name=name, arguments=arguments)))


async def _shell(app: App, name: str, arguments: Sequence[str]) -> int:
    url = await _existing_url(app.databases, name)
    async with app.databases.direct_connection(name, create=False):
        # Only to see that it answers; an embedded cluster is in use until the app closes.
        pass
    return await run_psql(url, arguments, is_embedded=app.databases.is_embedded(name))
