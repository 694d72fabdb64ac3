"""Commands that are imported when they are taken out."""

import os
import subprocess
import sys

import click
import pytest

from mcp_memory.interfaces.cli.program import Lazy, LazyCommands
from mcp_memory.interfaces.cli.purge import purge


def test_a_command_is_loaded_by_its_place_and_only_then() -> None:
    broken = Lazy("mcp_memory.cli.nowhere:nothing", "Nothing.")
    commands = LazyCommands(
        {"broken": broken, "purge": Lazy("mcp_memory.interfaces.cli.purge:purge", "P.")}
    )
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


_SAY_THREADS = """
import os
from mcp_memory.interfaces.cli.program import Lazy
Lazy("mcp_memory.interfaces.cli.search:search", "").load()
import numpy
print(len(os.listdir("/proc/self/task")), os.environ.get("OPENBLAS_NUM_THREADS"))
"""


@pytest.mark.slow
@pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="needs Linux's /proc")
@pytest.mark.parametrize(
    ("given", "said"), [({}, "1 None"), ({"OPENBLAS_NUM_THREADS": "1"}, "1 1")]
)
def test_a_command_starts_no_threads_by_being_imported(given: dict[str, str], said: str) -> None:
    """And what it was told of them, or not told, is what its children are told."""
    environ = {name: value for name, value in os.environ.items() if "_NUM_THREADS" not in name}
    ended = subprocess.run(
        [sys.executable, "-c", _SAY_THREADS],
        env=environ | given,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == said
