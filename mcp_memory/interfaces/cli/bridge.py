"""`mcp-memory bridge`: one agent's memory and mail, a JSON object a line."""

import click

from mcp_memory.interfaces.bridge.loop import run_bridge
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import agent_option
from mcp_memory.interfaces.cli.session import load_config, run


@click.command()
@agent_option
@pass_invocation
def bridge(invocation: Invocation, agent: str | None) -> None:
    """Wake a program when its agent has mail, and call tools for it.

    It speaks newline-delimited JSON: requests on stdin, answers and events on stdout, logs on
    stderr. New mail is an event as soon as it is sent. The end of stdin ends it.

    \b
    Example:
      echo '{"id": 1, "method": "memory_list"}' | mcp-memory bridge --agent alice
    """
    run(load_config(invocation, agent=agent), run_bridge)
