"""`config show` and `config check`."""

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.fixtures.program import Program


def test_show_gives_value_and_origin_of_every_setting_and_no_password(bare: Program) -> None:
    ended = bare.run(
        "config", "show", "--json", MCP_MEMORY_DATABASE_URL="postgresql://u:s3cret@h/d"
    )
    settings = cast("list[dict[str, object]]", ended.document)
    by_key = {setting["key"]: setting for setting in settings}
    assert by_key["database.url"] == {
        "key": "database.url",
        "value": "postgresql://u:***@h/d",
        "origin": "MCP_MEMORY_DATABASE_URL",
    }
    assert by_key["agent"] == {"key": "agent", "value": "default", "origin": "default"}
    assert "s3cret" not in ended.stdout


def test_show_is_a_line_a_setting_when_piped(bare: Program) -> None:
    lines = bare.run("config", "show", MCP_MEMORY_AGENT="ada").stdout.splitlines()
    assert lines[0] == "KEY\tVALUE\tORIGIN"
    assert "agent\tada\tMCP_MEMORY_AGENT" in lines
    assert "database.url\t-\tdefault" in lines


def test_check_names_the_file_it_read(bare: Program, tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    file.write_text(json.dumps({"agent": "ada"}))
    ended = bare.run("--config", str(file), "config", "check")
    assert (ended.code, ended.stdout) == (0, f"The settings are good. From: {file}.\n")


def test_check_fails_for_an_unknown_key_and_names_the_nearest(
    bare: Program, tmp_path: Path
) -> None:
    file = tmp_path / "memory.json"
    file.write_text(json.dumps({"agnet": "ada"}))
    ended = bare.run("--config", str(file), "config", "check")
    assert (ended.code, ended.stdout) == (1, "")
    assert "'agent'" in ended.stderr


@pytest.mark.slow
def test_a_configuration_in_the_current_folder_is_never_read(bare: Program, tmp_path: Path) -> None:
    for name in ("config.json", "mcp-memory.json", ".env"):
        (tmp_path / name).write_text('{"agent": "stranger"}')
    ended = replace(bare, folder=tmp_path).spawn("config", "check")
    assert ended.stdout == "The settings are good. From: defaults.\n"
