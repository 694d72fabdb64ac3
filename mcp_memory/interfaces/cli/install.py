"""`mcp-memory install`: tell an MCP client of this memory, in the client's own file."""

import json
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from mcp_memory.config import HttpConfig
from mcp_memory.interfaces.cli.clients import (
    CLIENTS,
    ClientName,
    LocalServer,
    Machine,
    RemoteServer,
    Server,
    UnexpectedShape,
    environment_hint,
    file_of,
    server_command,
    with_server,
    without_server,
)
from mcp_memory.interfaces.cli.hook_settings import with_hooks, without_hooks
from mcp_memory.interfaces.cli.invocation import Failure, Invocation, pass_invocation
from mcp_memory.interfaces.cli.json_files import Change, Document, NotPlainJson
from mcp_memory.interfaces.cli.output import is_interactive
from mcp_memory.interfaces.cli.session import load_config

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for; `server` None: the client shall know it no longer."""

    client: ClientName
    name: str
    server: Server | None
    file: Path

    def edit(self, document: Document) -> Document:
        """The client's document as it shall be."""
        if self.server is None:
            return without_server(document, self.client, self.name)
        return with_server(document, self.client, self.name, self.server)


def _variable(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    if value is None:
        return None
    if not _VARIABLE.fullmatch(value):
        raise click.BadParameter("is the name of a variable, such as MEMORY_KEY", ctx, param)
    if value.startswith("MCP_MEMORY_"):
        raise click.BadParameter("MCP_MEMORY_… is for settings; use another name", ctx, param)
    return value


@click.command()
@click.argument("client", type=click.Choice(CLIENTS))
@click.option(
    "--transport",
    type=click.Choice(["stdio", "http"]),
    default="stdio",
    show_default=True,
    help="The client starts a server of its own, or speaks to one that runs.",
)
@click.option("--url", metavar="URL", help="Where that one runs; default: as http.* says.")
@click.option(
    "--key-variable",
    callback=_variable,
    metavar="NAME",
    help="The environment variable that holds the client's key, once the server asks for keys."
    " The key itself is never written down.",
)
@click.option("--agent", metavar="NAME", help="Over stdio: the agent to act as.")
@click.option("--name", default="memory", show_default=True, help="What the client calls it.")
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Another file, such as .vscode/mcp.json or .mcp.json; default: this user's.",
)
@click.option(
    "--hooks",
    is_flag=True,
    help="Claude Code only: also have it recall and keep by itself (`mcp-memory hook`).",
)
@click.option("--remove", is_flag=True, help="Take it out again.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@pass_invocation
def install(
    invocation: Invocation,
    client: ClientName,
    transport: str,
    url: str | None,
    key_variable: str | None,
    agent: str | None,
    name: str,
    file: Path | None,
    hooks: bool,
    remove: bool,
    yes: bool,
) -> None:
    """Tell an MCP client of this memory, in the client's own file.

    The change is shown, then made if you agree. The former file is kept beside it, whatever else
    it holds stays, and a second run changes nothing.

    \b
    Example:
      mcp-memory install claude-code --agent alice
      mcp-memory install cursor --transport http --key-variable MEMORY_KEY
    """
    server: Server | None = None
    if not remove and transport == "stdio":
        _refuse_for_stdio(url, key_variable)
        command = server_command(invocation.config_file)
        server = LocalServer([*command, *(("--agent", agent) if agent else ())])
    elif not remove:
        _refuse_for_http(client, agent)
        server = RemoteServer(url or _make_url(load_config(invocation).http), key_variable)
    machine = Machine(sys.platform, Path.home(), os.environ)
    wish = Wish(client, name, server, (file or file_of(client, machine)).absolute())
    changes = [wish_change(wish)]
    if client == "claude-code" and (hooks or remove):
        program = server_command(invocation.config_file)[:-1]
        changes.append(_hooks_change(program, agent, remove=remove))
    elif hooks:
        raise click.UsageError("--hooks goes with claude-code.")
    _carry_out(changes, ask=not yes)
    if isinstance(server, LocalServer):
        for line in environment_hint(os.environ):
            click.echo(line)


def _refuse_for_stdio(url: str | None, key_variable: str | None) -> None:
    if url is not None or key_variable is not None:
        raise click.UsageError("--url and --key-variable go with --transport http.")


def _refuse_for_http(client: ClientName, agent: str | None) -> None:
    if agent is not None:
        raise click.UsageError("Over HTTP the key says who the agent is, not --agent.")
    if client == "claude-desktop":
        raise click.UsageError(
            "Claude Desktop's file names stdio servers only. Add the address in the application:"
            " Settings, Connectors, Add custom connector."
        )


def _make_url(http: HttpConfig) -> str:
    """Where a server with these settings is found from this machine, or from anywhere."""
    if http.public_url is not None:
        return f"{http.public_url.reveal().rstrip('/')}/mcp"
    host = "127.0.0.1" if http.host in ("0.0.0.0", "::") else http.host
    return f"http://{f'[{host}]' if ':' in host else host}:{http.port}/mcp"


def _hooks_change(program: Sequence[str], agent: str | None, *, remove: bool) -> Change:
    """The change of Claude Code's settings, which are a file beside its servers'."""
    settings = Path.home() / ".claude" / "settings.json"
    edit = without_hooks if remove else partial(with_hooks, command=program, agent=agent)
    try:
        return Change.of(settings, edit)
    except NotPlainJson as exc:
        raise Failure(f"{settings} was left as it is: {exc}.") from exc


def wish_change(wish: Wish) -> Change:
    """The change of the client's file, or what to paste where the file cannot be changed."""
    try:
        return Change.of(wish.file, wish.edit)
    except (NotPlainJson, UnexpectedShape) as exc:
        click.echo(_by_hand(wish), err=True)
        raise Failure(f"{wish.file} was left as it is: {exc}.") from exc


def _by_hand(wish: Wish) -> str:
    if wish.server is None:
        return f"Take {wish.name!r} out of {wish.file} by hand."
    pasted = json.dumps(wish.edit({}), indent=2, ensure_ascii=False)
    return f"Put this into {wish.file} by hand:\n{pasted}"


def _carry_out(changes: Sequence[Change], *, ask: bool) -> None:
    """Show every change that is needed, ask once, make them."""
    needed = [change for change in changes if change.is_needed]
    if not needed:
        click.echo("Nothing to change.")
        return
    for change in needed:
        click.echo(change.diff())
    if ask:
        _agree()
    for change in needed:
        backup = change.apply()
        click.echo(f"Wrote {change.file}.{f' Its former text: {backup}' if backup else ''}")
    click.echo("Restart the client to make it look.")


def _agree() -> None:
    if not is_interactive():
        raise click.UsageError("Pass --yes to confirm that this is written.")
    click.confirm("Write this?", abort=True, err=True)
