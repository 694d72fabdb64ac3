"""`mcp-memory serve`: the MCP server."""

import click

from mcp_memory.cli.invocation import Invocation, pass_invocation
from mcp_memory.cli.options import agent_option
from mcp_memory.cli.session import loaded, run
from mcp_memory.server.stdio import run_stdio


@click.command()
@click.option(
    "--transport",
    type=click.Choice(["stdio"]),
    default="stdio",
    show_default=True,
    help="How clients reach it.",
)
@agent_option
@pass_invocation
def serve(invocation: Invocation, transport: str, agent: str | None) -> None:
    """Serve the memory to an MCP client.

    A client starts this command itself and speaks to its stdin and stdout; `mcp-memory demo`
    prints the lines for the client's configuration. Logs go to stderr.

    \b
    Example:
      mcp-memory serve --agent alice
    """
    assert transport == "stdio"
    run(loaded(invocation, agent=agent), run_stdio)
