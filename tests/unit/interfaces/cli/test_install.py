"""`install`: the client's own file, shown, changed, kept and left alone."""

import json
from pathlib import Path
from typing import cast

import pytest

from tests.fixtures.program import Program


@pytest.fixture
def home(bare: Program) -> Path:
    return Path(bare.environ["HOME"])


def _document(file: Path) -> object:
    return cast("object", json.loads(file.read_text()))


def test_the_change_is_shown_and_made_once(bare: Program, home: Path) -> None:
    file = home / ".cursor" / "mcp.json"
    first = bare.run("install", "cursor", "--agent", "alice", "--yes")
    assert first.code == 0, first.stderr
    assert '+    "memory": {' in first.stdout
    servers = cast("dict[str, dict[str, dict[str, list[str]]]]", _document(file))
    assert servers["mcpServers"]["memory"]["args"][-3:] == ["serve", "--agent", "alice"]
    second = bare.run("install", "cursor", "--agent", "alice", "--yes")
    assert second.stdout.splitlines()[0] == "Nothing to change."
    assert list(file.parent.iterdir()) == [file]


def test_removing_it_gives_the_former_text_back(bare: Program, home: Path) -> None:
    file = home / ".claude.json"
    text = (
        '{\n  "numStartups": 7,\n  "mcpServers": {\n    "other": {\n      "url": "x"\n    }\n  }\n}'
    )
    file.write_text(text)
    bare.run("install", "claude-code", "--yes")
    assert file.read_text() != text
    bare.run("install", "claude-code", "--remove", "--yes")
    assert file.read_text() == text
    assert len(list(home.glob(".claude.json.*.bak"))) == 2


def test_over_http_the_key_is_named_and_never_written(bare: Program, home: Path) -> None:
    options = ("--transport", "http", "--key-variable", "MEMORY_KEY", "--yes")
    done = bare.run("install", "openclaw", *options, MEMORY_KEY="mm_secret")
    assert done.code == 0, done.stderr
    assert _document(home / ".openclaw" / "openclaw.json") == {
        "mcp": {
            "servers": {
                "memory": {
                    "url": "http://127.0.0.1:8720/mcp",
                    "transport": "streamable-http",
                    "headers": {"Authorization": "Bearer ${MEMORY_KEY}"},
                }
            }
        }
    }


def test_the_address_is_the_one_that_the_settings_give_to_clients(
    bare: Program, home: Path
) -> None:
    public = {"MCP_MEMORY__HTTP__PUBLIC_URL": "https://memory.example.com/"}
    bare.run("install", "cursor", "--transport", "http", "--yes", **public)
    servers = cast("dict[str, dict[str, object]]", _document(home / ".cursor" / "mcp.json"))
    assert servers["mcpServers"]["memory"] == {"url": "https://memory.example.com/mcp"}


def test_a_file_with_comments_is_left_alone_and_the_lines_are_given(
    bare: Program, tmp_path: Path
) -> None:
    file = tmp_path / "mcp.json"
    file.write_text('{\n  // mine\n  "servers": {}\n}\n')
    done = bare.run("install", "vscode", "--file", str(file), "--yes")
    assert done.code == 1
    assert file.read_text() == '{\n  // mine\n  "servers": {}\n}\n'
    assert '"servers": {' in done.stderr
    assert list(tmp_path.glob("mcp.json.*")) == []


def test_nobody_to_ask_is_a_usage_error_and_writes_nothing(bare: Program, home: Path) -> None:
    assert bare.run("install", "cursor").code == 2
    assert not (home / ".cursor").exists()


@pytest.mark.parametrize(
    "options",
    [
        ("claude-desktop", "--transport", "http"),
        ("cursor", "--transport", "http", "--agent", "alice"),
        ("cursor", "--url", "http://127.0.0.1/mcp"),
        ("cursor", "--transport", "http", "--key-variable", "mm_abc"),
        ("cursor", "--transport", "http", "--key-variable", "MCP_MEMORY_KEY"),
        ("emacs",),
    ],
)
def test_what_does_not_go_together_is_a_usage_error(
    bare: Program, options: tuple[str, ...]
) -> None:
    assert bare.run("install", *options, "--yes").code == 2


def test_hooks_are_set_once_beside_others_and_taken_out_alone(bare: Program, home: Path) -> None:
    settings = home / ".claude" / "settings.json"
    settings.parent.mkdir()
    theirs = {"hooks": {"Stop": [{"hooks": [{"type": "command", "command": "say done"}]}]}}
    settings.write_text(json.dumps(theirs, indent=2))

    done = bare.run("install", "claude-code", "--hooks", "--agent", "ada", "--yes")
    assert done.code == 0, done.stderr
    again = bare.run("install", "claude-code", "--hooks", "--agent", "ada", "--yes")
    hooks = cast("dict[str, dict[str, list[dict[str, list[dict[str, str]]]]]]", _document(settings))

    assert again.stdout.splitlines()[0] == "Nothing to change."
    assert set(hooks["hooks"]) == {
        "SessionStart",
        "UserPromptSubmit",
        "PostCompact",
        "Stop",
        "SessionEnd",
    }
    commands = [each["hooks"][0]["command"] for each in hooks["hooks"]["Stop"]]
    assert commands[0] == "say done"
    assert commands[1].endswith("mcp_memory hook --agent ada Stop")

    bare.run("install", "claude-code", "--remove", "--yes")
    assert _document(settings) == theirs


def test_hooks_of_another_client_are_a_usage_error(bare: Program) -> None:
    assert bare.run("install", "cursor", "--hooks", "--yes").code == 2
