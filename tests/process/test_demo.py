"""`demo`: the whole job, and that it notices when the job is not done."""

from pathlib import Path

import pytest

from mcp_memory.interfaces.cli.clients import paste_lines, server_command
from tests.fixtures.program import Program

pytestmark = pytest.mark.slow


def _databases(program: Program) -> list[str]:
    lines = program.run("databases", "list").stdout.splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


def test_the_demo_succeeds_again_and_leaves_what_is_to_be_kept(
    program: Program,
) -> None:
    for options in ((), ("--keep",)):
        ended = program.spawn("demo", *options)
        assert (ended.code, ended.stderr) == (0, "")
        assert "Everything was as it must be." in ended.stdout
        _assert_it_shows_the_calls_and_what_to_paste(ended.stdout)
    (kept,) = [name for name in _databases(program) if name != "main"]
    found = program.run("search", "lighthouse backups", "--database", kept, "--agent", "demo-ben")
    assert "projects/lighthouse.md" in found.stdout
    assert program.run("search", "lighthouse").stdout == ""


def _assert_it_shows_the_calls_and_what_to_paste(shown: str) -> None:
    for words in (
        "ada> memory_write(",
        "ben> memory_search(",
        "ben> memory_get(",
        "as of 2025-06-01: Ben works at Acme.",
        "ben> memory_message(",
        " ms\n",
    ):
        assert words in shown
    assert "\n".join(paste_lines(server_command(None), {})[:2]) in shown


def test_the_demo_runs_on_the_embedded_default(bare: Program, place: Path) -> None:
    ended = bare.spawn("demo", MCP_MEMORY_DATA_DIR=str(place / "data"))
    assert (ended.code, ended.stderr) == (0, "")
    assert "embedded PostgreSQL" in ended.stdout


def test_the_demo_fails_when_the_tools_it_needs_are_not_offered(program: Program) -> None:
    ended = program.spawn("demo", MCP_MEMORY__TOOLSETS='["databases"]')
    assert ended.code == 1
    assert "memory_search" in ended.stderr.splitlines()[-1]
    assert "Everything" not in ended.stdout
    assert _databases(program) == ["main"]
