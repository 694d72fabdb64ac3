"""`mcp-memory keys`: who may use the memory over HTTP, and for what."""

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial

import click

from mcp_memory.app import App
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import check_agent, json_option
from mcp_memory.interfaces.cli.output import print_json, print_table
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.memory.keys import SCOPES, IssuedKey, Key, NewKey, Scope

_UNITS = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_SPAN = re.compile(r"([1-9]\d{0,3})([hdw])")


class Lifetime(click.ParamType[timedelta]):
    """How long a key lasts, such as `30d`."""

    name = "span"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """The span; a usage error when it is none."""
        match = _SPAN.fullmatch(str(value))
        if match is None:
            self.fail(f"{value!r} is not a span: use 12h, 30d or 8w", param, ctx)
        return int(match[1]) * _UNITS[match[2]]


@click.group()
def keys() -> None:
    """Make, list and revoke the keys that clients over HTTP need.

    A key is bound to one agent. Once there is a key, the server answers nobody without one.

    \b
    Example:
      mcp-memory keys create --agent alice
    """


@keys.command()
@click.option(
    "--agent", required=True, metavar="NAME", callback=check_agent, help="Who its holder is."
)
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(SCOPES),
    multiple=True,
    default=("read", "write"),
    show_default="read, write",
    help="What it is for; repeat it for more. None includes another.",
)
@click.option(
    "--database",
    "databases",
    multiple=True,
    metavar="NAME",
    help="Only for this database; repeat it for more. Default: for all.",
)
@click.option("--expires", type=Lifetime(), metavar="SPAN", help="Such as 30d; default: never.")
@json_option
@pass_invocation
def create(
    invocation: Invocation,
    agent: str,
    scopes: Sequence[Scope],
    databases: Sequence[str],
    expires: timedelta | None,
    as_json: bool,
) -> None:
    """Make a key and show it, this once.

    \b
    read    searching and reading
    write   writing, forgetting, sending
    admin   registering databases and purging

    \b
    Example:
      mcp-memory keys create --agent alice --scope read --expires 30d
    """
    order = NewKey(agent, tuple(dict.fromkeys(scopes)), tuple(databases) or None, expires)
    issued = run(configure(invocation), partial(_create, order=order))
    if as_json:
        print_json(_document(issued))
        return
    click.echo(issued.text)
    click.echo(
        f"The key {issued.key.id} of agent {agent}: {_describe(issued.key)}."
        " It is not shown again.",
        err=True,
    )


async def _create(app: App, order: NewKey) -> IssuedKey:
    return await app.keys.create(order)


def _document(issued: IssuedKey) -> dict[str, object]:
    key = issued.key
    return {
        "id": key.id,
        "key": issued.text,
        "agent": key.agent,
        "scopes": key.scopes,
        "databases": key.databases,
        "expires_at": key.expires_at,
    }


def _describe(key: Key) -> str:
    where = f"databases {', '.join(key.databases)}" if key.databases else "all databases"
    until = f"until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else "until revoked"
    return f"{', '.join(key.scopes)}; {where}; {until}"


@keys.command("list")
@json_option
@pass_invocation
def list_keys(invocation: Invocation, as_json: bool) -> None:
    """List every key there ever was, oldest first.

    \b
    Example:
      mcp-memory keys list --json
    """
    rows = run(configure(invocation), _list)
    if as_json:
        print_json([asdict(key) | {"status": _status(key)} for key in rows])
        return
    print_table(
        ("ID", "AGENT", "SCOPES", "DATABASES", "EXPIRES", "STATUS"), [_row(key) for key in rows]
    )


async def _list(app: App) -> Sequence[Key]:
    return await app.keys.list()


def _row(key: Key) -> tuple[str, ...]:
    expires = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "never"
    databases = ",".join(key.databases) if key.databases else "all"
    return (key.id, key.agent, ",".join(key.scopes), databases, expires, _status(key))


def _status(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    expired = key.expires_at is not None and key.expires_at <= datetime.now(UTC)
    return "expired" if expired else "usable"


@keys.command()
@click.argument("key_id", metavar="ID", required=False)
@click.option(
    "--agent", metavar="NAME", callback=check_agent, help="Every key of this agent instead."
)
@pass_invocation
def revoke(invocation: Invocation, key_id: str | None, agent: str | None) -> None:
    """Revoke the key ID, or every key of an agent, at once and for good.

    \b
    Example:
      mcp-memory keys revoke --agent alice
    """
    if (key_id is None) == (agent is None):
        raise click.UsageError("Give either the ID of a key or --agent.")
    ended = run(configure(invocation), partial(_revoke, key_id=key_id, agent=agent))
    if not ended:
        click.echo("Nothing to revoke: no usable key is left.")
    for key in ended:
        click.echo(f"The key {key.id} of agent {key.agent} is revoked.")


async def _revoke(app: App, key_id: str | None, agent: str | None) -> Sequence[Key]:
    if key_id is not None:
        return await app.keys.revoke(key_id)
    return await app.keys.revoke_agent(agent or "")
