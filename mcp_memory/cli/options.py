"""Options that several commands have in common."""

import click

agent_option = click.option(
    "--agent", metavar="NAME", help="The agent to act as; default: the configured one."
)
database_option = click.option(
    "--database", metavar="NAME", help="A named database; default: the configured one."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
