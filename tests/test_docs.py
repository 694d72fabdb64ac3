"""Documentation as a test subject: settings, commands and the check script say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import click
import pytest

from mcp_memory.cli import main
from mcp_memory.config import Config, load, setting_keys
from mcp_memory.config.variables import (
    FILE_VARIABLE,
    SHORT_VARIABLES,
    Group,
    Named,
    Shape,
    Value,
    outline,
)

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "config.example.json"
README = (ROOT / "README.md").read_text("utf-8")
SETTING_ROW = re.compile(r"^\| `([a-z_.<>]+)` \| (.*?) \|", re.MULTILINE)


def _keys_of(document: object, shape: Shape) -> Iterator[str]:
    """The dotted keys a document gives, chosen names replaced by their placeholder."""
    if isinstance(shape, Value):
        yield ""
        return
    for name, below in cast("dict[str, object]", document).items():
        match shape:
            case Named():
                yield from (f"{shape.placeholder}.{key}" for key in _keys_of(below, shape.each))
            case Group():
                inside = _keys_of(below, shape.keys[name])
                yield from (f"{name}.{key}".rstrip(".") for key in inside)


def test_the_example_holds_every_setting_and_no_other() -> None:
    document = cast("object", json.loads(EXAMPLE.read_text("utf-8")))
    assert set(_keys_of(document, outline())) == set(setting_keys())


def test_the_example_can_be_loaded(tmp_path: Path) -> None:
    token = tmp_path / ".config/mcp-memory/openclaw-token"
    token.parent.mkdir(parents=True)
    token.write_text("t\n", encoding="utf-8")
    config = load(EXAMPLE, {"HOME": str(tmp_path), "OPENAI_API_KEY": "k"})
    assert config.wake_routes["alice"].token is not None
    assert config.wake_routes["alice"].token.reveal() == "t"


def _documented() -> dict[str, str]:
    table = README[README.index("## Settings") :]
    return dict(cast("list[tuple[str, str]]", SETTING_ROW.findall(table)))


def test_the_readme_has_a_row_for_every_setting_and_no_other() -> None:
    assert list(_documented()) == setting_keys()


def _as_documented(value: object) -> str:
    if value is None:
        return "none"
    if value in ("", []):
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_readme_states_the_defaults_as_they_are() -> None:
    # Folders depend on the user, and `all` is the reader's word for the list of toolsets.
    own_words = {"embedded.data_dir", "embeddings.model_dir", "toolsets"}
    stated = {key: default.strip("`") for key, default in _documented().items()}
    real = {
        setting.key: _as_documented(setting.value)
        for setting in Config().describe()
        if setting.key in stated and setting.key not in own_words
    }
    assert {key: stated[key] for key in real} == real
    assert len(real) > 30


def test_the_readme_names_every_variable_that_has_a_name_of_its_own() -> None:
    assert [name for name in (FILE_VARIABLE, *SHORT_VARIABLES) if name not in README] == []


def test_the_check_script_ends_with_the_readmes_second_command() -> None:
    commands = re.findall(r"^```sh\n(.*?)\n```$", README, re.MULTILINE | re.DOTALL)
    script = (ROOT / ".ci/run").read_text("utf-8").splitlines()
    assert script[-1] == commands[1]


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name."""
    if isinstance(command, click.Group):
        for word, below in command.commands.items():
            yield from _commands(below, f"{name} {word}")
    else:
        yield name, command


@pytest.fixture(scope="module")
def commands() -> dict[str, click.Command]:
    return dict(_commands(main, "mcp-memory"))


def test_every_command_has_help(commands: dict[str, click.Command]) -> None:
    assert [name for name, command in commands.items() if not command.help] == []


def test_every_command_is_in_the_readme(commands: dict[str, click.Command]) -> None:
    assert [name for name in commands if name not in README] == []
