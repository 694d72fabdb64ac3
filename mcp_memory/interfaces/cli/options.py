"""Options that several commands have in common."""

import click

from mcp_memory.config import is_agent_name


def check_agent(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The agent's name; a usage error for what no agent may be called."""
    if value is not None and not is_agent_name(value):
        raise click.BadParameter(
            "letters, digits and _.:- after a letter or digit, at most 64", ctx, param
        )
    return value


agent_option = click.option(
    "--agent", metavar="NAME", help="The agent to act as; default: the configured one."
)
database_option = click.option(
    "--database", metavar="NAME", help="A named database; default: the configured one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
