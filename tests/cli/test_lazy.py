"""Commands that are imported when they are taken out."""

import click
import pytest

from mcp_memory.cli.lazy import Lazy, LazyCommands
from mcp_memory.cli.purge import purge


def test_a_command_is_loaded_by_its_place_and_only_then() -> None:
    broken = Lazy("mcp_memory.cli.nowhere:nothing", "Nothing.")
    commands = LazyCommands({"broken": broken, "purge": Lazy("mcp_memory.cli.purge:purge", "P.")})
    assert list(commands) == ["broken", "purge"]
    assert commands["purge"] is purge
    with pytest.raises(ModuleNotFoundError):
        commands["broken"]


def test_commands_can_be_added_and_taken_away() -> None:
    commands = LazyCommands({})
    commands["work"] = click.Command("work", help="Work hard.")
    assert commands.summaries == {"work": "Work hard."}
    del commands["work"]
    assert (len(commands), commands.summaries) == (0, {})
