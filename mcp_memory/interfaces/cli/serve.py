"""`mcp-memory serve`: the MCP server."""

import click

from mcp_memory.config import Config
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import agent_option
from mcp_memory.interfaces.cli.session import load_config, run
from mcp_memory.interfaces.http.transports import run_http
from mcp_memory.interfaces.mcp.stdio import run_stdio


@click.command()
@click.option(
    "--transport",
    type=click.Choice(["stdio", "sse", "streamable-http"]),
    default="stdio",
    show_default=True,
    help="How clients reach it; the last two are one server, at /sse and at /mcp.",
)
@click.option("--host", metavar="HOST", help="Over HTTP: where to listen; default: http.host.")
@click.option(
    "--port", type=click.IntRange(0, 65_535), help="Over HTTP: the port; 0: any that is free."
)
@agent_option
@pass_invocation
def serve(
    invocation: Invocation,
    transport: str,
    host: str | None,
    port: int | None,
    agent: str | None,
) -> None:
    """Serve the memory to MCP clients.

    Over stdio a client starts this command itself and speaks to its stdin and stdout;
    `mcp-memory install` tells it to. Over HTTP many clients share one server, each with a key of
    its own (`mcp-memory keys create`); without keys only this machine is served, and every client
    is the configured agent. Logs go to stderr.

    \b
    Example:
      mcp-memory serve --agent alice
      mcp-memory serve --transport streamable-http --port 8720
    """
    if transport == "stdio" and (host is not None or port is not None):
        raise click.UsageError("--host and --port go with a transport over HTTP.")
    config = load_config(invocation, agent=agent)
    if transport == "stdio":
        run(config, run_stdio)
    else:
        run(_listening_at(config, host, port), run_http)


def _listening_at(config: Config, host: str | None, port: int | None) -> Config:
    options = {"host": host, "port": port}
    changes = {key: value for key, value in options.items() if value is not None}
    http = config.http.model_copy(update=changes)
    return config.model_copy(update={"http": http})
