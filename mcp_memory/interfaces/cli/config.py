"""`mcp-memory config`: where each setting comes from, and whether all of them can be used."""

from dataclasses import asdict
from typing import cast

import click

from mcp_memory.config import Config, Setting
from mcp_memory.interfaces.cli.invocation import Invocation, pass_invocation
from mcp_memory.interfaces.cli.options import json_option
from mcp_memory.interfaces.cli.output import print_json, print_table
from mcp_memory.interfaces.cli.session import configure


@click.group()
def config() -> None:
    """Show and check the settings.

    \b
    Example:
      mcp-memory config show
    """


@config.command()
@json_option
@pass_invocation
def show(invocation: Invocation, as_json: bool) -> None:
    """Print every setting with its value and its origin, secrets masked.

    \b
    Example:
      mcp-memory config show --json
    """
    settings = configure(invocation).describe()
    if as_json:
        print_json([asdict(setting) for setting in settings])
        return
    rows = [(setting.key, _format(setting), setting.origin) for setting in settings]
    print_table(("KEY", "VALUE", "ORIGIN"), rows)


@config.command()
@pass_invocation
def check(invocation: Invocation) -> None:
    """Load the settings; say where they come from, or what is wrong with them.

    \b
    Example:
      mcp-memory config check
    """
    click.echo(f"The settings are good. From: {', '.join(origins(configure(invocation)))}.")


def origins(config: Config) -> list[str]:
    """The files and variables that set something, else `defaults`."""
    found = dict.fromkeys(setting.origin for setting in config.describe())
    return [origin for origin in found if origin != "default"] or ["defaults"]


def _format(setting: Setting) -> str:
    match setting.value:
        case None | "" | [] | {}:
            return "-"
        case bool() as flag:
            return str(flag).lower()
        case list():
            return ", ".join(str(one) for one in cast("list[object]", setting.value))
        case value:
            return str(value)
