"""The root: help, versions, one-line errors and exit codes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from shlex import quote

import anyio
import click
import psycopg
import pytest
from click.testing import CliRunner

from mcp_memory import __version__
from mcp_memory.errors import DocumentNotFound
from mcp_memory.interfaces.cli import main
from mcp_memory.interfaces.cli.program import COMMANDS
from mcp_memory.interfaces.cli.program import Program as RootGroup
from tests.fixtures.program import Program


def _commands(group: click.Group, *above: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    for name, command in group.commands.items():
        yield (*above, name), command
        if isinstance(command, click.Group):
            yield from _commands(command, *above, name)


ALL = dict(_commands(main))


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_a_command_has_help_with_an_example(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*words, "--help"])
    assert shown.exit_code == 0
    assert f"Usage: main {' '.join(words)}" in shown.output
    assert "Example:" in shown.output
    assert f"mcp-memory {' '.join(words)}" in shown.output


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_every_option_of_a_command_is_explained(words: tuple[str, ...]) -> None:
    options = [each for each in ALL[words].params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


def test_what_the_root_says_of_a_command_is_what_the_command_says_of_itself() -> None:
    said = {name: lazy.summary for name, lazy in COMMANDS.items()}
    own = {name: (main.commands[name].help or "").split("\n")[0] for name in COMMANDS}
    assert said == own


@pytest.mark.slow
def test_help_imports_no_command_and_nothing_heavy() -> None:
    watched = ["mcp", "psycopg", "pydantic", "rich", "tiktoken", "mcp_memory.interfaces.cli.search"]
    code = (
        "import sys, json\n"
        "from mcp_memory.interfaces.cli import main\n"
        "main(['--help'], standalone_mode=False)\n"
        f"print(json.dumps([name for name in {watched} if name in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == []


@pytest.mark.slow
def test_the_console_script_and_the_module_are_one_program(bare: Program) -> None:
    ended = replace(bare, is_cold=True).spawn("--version")
    assert (ended.code, ended.stdout) == (0, f"mcp-memory, version {__version__}\n")


@pytest.mark.slow
def test_an_unknown_command_is_a_usage_error_that_names_the_nearest(bare: Program) -> None:
    ended = bare.spawn("serch")
    assert (ended.code, ended.stdout) == (2, "")
    assert "'search'" in ended.stderr


@pytest.mark.slow
def test_an_unknown_option_is_a_usage_error(bare: Program) -> None:
    assert bare.spawn("search", "x", "--max-result", "3", "--nonsense").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "/nowhere/config.json", "config", "show"),
        ("search", "x", "--agent", "not a name"),
        ("search", "x"),
        ("migrate", "status"),
        ("purge",),
    ],
)
def test_an_error_is_one_line_on_stderr_and_exit_code_1(
    bare: Program, arguments: tuple[str, ...]
) -> None:
    ended = bare.run(*arguments, MCP_MEMORY_DATABASE_URL="postgresql://u:s3cret@127.0.0.1:1/x")
    assert (ended.code, ended.stdout) == (1, "")
    assert ended.stderr.startswith("mcp-memory: ")
    assert ended.stderr.count("\n") == 1
    assert "s3cret" not in ended.stderr


def _root_that_raises(exc: BaseException) -> click.Group:
    root = RootGroup("mcp-memory", params=list(main.params), callback=main.callback)

    @root.command()
    def work() -> None:
        raise exc

    return root


def test_an_error_inside_a_task_group_is_told_like_any_other() -> None:
    not_found = DocumentNotFound("a.md")

    async def fail() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_raise, not_found)

    with pytest.raises(ExceptionGroup) as caught:
        anyio.run(fail)
    ended = CliRunner().invoke(_root_that_raises(caught.value), ["work"])
    assert (ended.exit_code, ended.stderr) == (1, f"mcp-memory: {not_found}\n")


async def _raise(exc: Exception) -> None:
    raise exc


def test_an_unexpected_error_is_one_line_without_a_traceback() -> None:
    ended = CliRunner().invoke(_root_that_raises(ZeroDivisionError("two\nlines")), ["work"])
    assert ended.exit_code == 1
    assert "ZeroDivisionError: two lines" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_an_unexpected_error_comes_with_its_traceback_when_debugging() -> None:
    root = _root_that_raises(ZeroDivisionError("why"))
    ended = CliRunner().invoke(root, ["--log-level", "debug", "work"])
    assert ended.exit_code == 1
    assert "Traceback" in ended.stderr


def test_a_drivers_error_is_named_but_not_quoted() -> None:
    quoting = psycopg.ProgrammingError("invalid dsn: postgresql://u:s3cret@h/d")
    ended = CliRunner().invoke(_root_that_raises(quoting), ["work"])
    assert ended.exit_code == 1
    assert "ProgrammingError" in ended.stderr
    assert "s3cret" not in ended.stderr


def test_ctrl_c_is_exit_code_130_without_a_word() -> None:
    ended = CliRunner().invoke(_root_that_raises(KeyboardInterrupt()), ["work"])
    assert (ended.exit_code, ended.output) == (130, "")


@pytest.mark.slow
def test_a_reader_that_leaves_early_causes_no_complaint(bare: Program) -> None:
    command = f"{quote(sys.executable)} -m mcp_memory config show | head -n 1"
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": "/usr/bin:/bin", **bare.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("KEY\tVALUE\tORIGIN\n", "")
