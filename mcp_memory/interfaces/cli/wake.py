"""`mcp-memory wake`: how agents are woken whose client is not listening."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import cast

import click

from mcp_memory.app import App
from mcp_memory.config import mask_url
from mcp_memory.interfaces.cli.invocation import Failure, Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import check_agent, database_option, json_option
from mcp_memory.interfaces.cli.output import count_noun, print_json, print_table
from mcp_memory.interfaces.cli.session import configure, run
from mcp_memory.memory.mail.wake.model import ListedRoute, OutboxStatus, Outcome
from mcp_memory.postgres.session import Session

_KINDS = ["openclaw-wake", "openclaw-agent", "webhook", "command"]


agent_argument = click.argument("agent", metavar="AGENT", callback=check_agent)


@click.group()
def wake() -> None:
    """Wake agents whose client is not listening when mail arrives.

    A route is a door to an agent: OpenClaw's hooks, a webhook or a program. Routes of the settings
    (wake_routes) go first; those added here lie in the database, for every server that allows
    their target (wake.allowed_targets).

    \b
    Example:
      mcp-memory wake list
    """


@wake.command()
@agent_argument
@click.argument("command", nargs=-1, type=click.UNPROCESSED, metavar="[-- PROGRAM ARGUMENT…]")
@click.option("--kind", type=click.Choice(_KINDS), required=True, help="What sort of door it is.")
@click.option("--url", metavar="URL", help="Where to post; not for the kind command.")
@click.option("--token-env", metavar="NAME", help="The variable that holds token or signing key.")
@click.option("--token-file", metavar="PATH", help="The file that holds it instead.")
@click.option("--agent-id", metavar="ID", help="OpenClaw's own name of the agent.")
@click.option("--session-key", metavar="KEY", help="OpenClaw's session.")
@click.option("--min-priority", type=click.IntRange(0, 10), help="Less urgent mail wakes nobody.")
@click.option("--quiet-hours", metavar="SPAN", help="Such as 22:00-07:00.")
@click.option("--urgent-priority", type=click.IntRange(0, 10), help="Rings in quiet hours too.")
@click.option(
    "--when-listening", is_flag=True, default=None, help="Ring also while a client listens."
)
@click.option("--allow-text", is_flag=True, default=None, help="Tell what the messages say.")
@click.option("--timeout-seconds", type=float, metavar="SECONDS", help="Longest attempt.")
@database_option
@pass_invocation
def add(
    invocation: Invocation,
    agent: str,
    command: Sequence[str],
    token_env: str | None,
    token_file: str | None,
    database: str | None,
    **options: object,
) -> None:
    """Add a route for AGENT, in place of the one that was added before.

    Secrets are named, never given: every server reads them where it runs. Servers that had no
    route so far find it within a minute.

    \b
    Example:
      mcp-memory wake add alice --kind openclaw-wake --url http://127.0.0.1:18789/hooks/wake \\
          --token-file ~/.config/mcp-memory/openclaw-token
      mcp-memory wake add bob --kind command -- /usr/local/bin/wake-bob --quietly
    """
    document = {name: value for name, value in options.items() if value not in (None, ())}
    if command:
        document["command"] = list(command)
    if (token := _token(token_env, token_file)) is not None:
        document["token"] = token
    run(configure(invocation), partial(_add, agent=agent, document=document, database=database))
    click.echo(f"{agent} is woken by {options['kind']} when mail arrives.")


def _token(variable: str | None, file: str | None) -> Mapping[str, str] | None:
    """Where the secret is; an empty name, such as that of an unset variable, is none."""
    if variable is not None and file is not None:
        raise click.UsageError("Give --token-env or --token-file, not both.")
    for option, name in (("--token-env", variable), ("--token-file", file)):
        if name is not None and not name.strip():
            raise click.BadParameter("is empty", param_hint=option)
    if variable is not None:
        return {"env": variable}
    return None if file is None else {"file": file}


def _session(app: App, database: str | None) -> Session:
    return app.mail_session(app.config.agent, database)


async def _add(app: App, agent: str, document: Mapping[str, object], database: str | None) -> None:
    await app.wake.add(_session(app, database), agent, document)


@wake.command("list")
@database_option
@json_option
@pass_invocation
def list_routes(invocation: Invocation, database: str | None, as_json: bool) -> None:
    """List the routes, what waits to be rung, and how the last attempts ended.

    \b
    Example:
      mcp-memory wake list --json
    """
    routes = run(configure(invocation), partial(_list, database=database))
    if as_json:
        print_json([_document(route) for route in routes])
        return
    print_table(
        ("AGENT", "KIND", "TARGET", "FROM", "WAITING", "GIVEN UP", "STATE"),
        [_row(route) for route in routes],
    )


async def _list(app: App, database: str | None) -> Sequence[ListedRoute]:
    return await app.wake.list(_session(app, database))


@wake.command()
@agent_argument
@database_option
@pass_invocation
def test(invocation: Invocation, agent: str, database: str | None) -> None:
    """Ring at AGENT's door once, really, with a cue that says it is a test.

    \b
    Example:
      mcp-memory wake test alice
    """
    outcome = run(configure(invocation), partial(_test, agent=agent, database=database))
    if not outcome.is_delivered:
        raise Failure(f"{agent} was not woken: {outcome.problem}")
    click.echo(f"{agent} was rung.")


async def _test(app: App, agent: str, database: str | None) -> Outcome:
    return await app.wake.test(_session(app, database), agent)


@wake.command()
@agent_argument
@database_option
@pass_invocation
def remove(invocation: Invocation, agent: str, database: str | None) -> None:
    """Remove AGENT's route; what waits to be rung is not rung any more.

    \b
    Example:
      mcp-memory wake remove alice
    """
    run(configure(invocation), partial(_remove, agent=agent, database=database))
    click.echo(f"{agent} is woken no more; mail still arrives.")


async def _remove(app: App, agent: str, database: str | None) -> None:
    await app.wake.remove(_session(app, database), agent)


def _target(listed: ListedRoute) -> str:
    """Where the route leads; an address without what may be secret in it."""
    command = listed.document.get("command")
    if isinstance(command, list):
        return str(cast("list[object]", command)[0])
    return mask_url(str(listed.document.get("url", "")))


def _row(listed: ListedRoute) -> tuple[str, ...]:
    outbox = listed.outbox
    return (
        listed.agent,
        str(listed.document.get("kind", "")),
        _target(listed),
        listed.origin,
        str(outbox.waiting if outbox else 0),
        str(outbox.given_up if outbox else 0),
        _state(listed, outbox),
    )


def _state(listed: ListedRoute, outbox: OutboxStatus | None) -> str:
    if listed.unusable:
        return f"not usable here: {listed.unusable}"
    if outbox is None or not outbox.failures:
        return "ready"
    failed = f"failed {count_noun(outbox.failures, 'time')}: {outbox.problem}"
    return (
        f"{failed}; next {outbox.next_try_at:%Y-%m-%d %H:%M:%S} UTC" if outbox.waiting else failed
    )


def _document(listed: ListedRoute) -> dict[str, object]:
    outbox = listed.outbox
    shown = dict(listed.document)
    if "url" in shown:
        shown["url"] = _target(listed)
    return {
        "agent": listed.agent,
        "from": listed.origin,
        "route": shown,
        "state": _state(listed, outbox),
        "waiting": outbox.waiting if outbox else 0,
        "waiting_since": outbox.waiting_since if outbox else None,
        "given_up": outbox.given_up if outbox else 0,
        "failures": outbox.failures if outbox else 0,
    }
