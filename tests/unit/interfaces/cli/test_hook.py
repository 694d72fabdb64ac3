"""`hook`: recalls what is relevant, keeps what was said, and is never in the way."""

import json
import signal
from pathlib import Path
from typing import cast

import psycopg
import pytest

from mcp_memory.interfaces.cli.hook_settings import hook_settings
from mcp_memory.memory.conversations.batch import own_words
from tests.fixtures.program import Ended, Program
from tests.fixtures.transcript_files import CLAUDE_CODE, write

SESSION = "5d0f3a52-session"


def hook(program: Program, event: str, **facts: object) -> Ended:
    told = {"session_id": SESSION, "hook_event_name": event, **facts}
    handler = signal.getsignal(signal.SIGALRM)
    try:
        ended = program.run("hook", event, stdin=json.dumps(told))
    finally:
        # A hook's process ends with its alarm; this one lives on.
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert (ended.code, ended.stderr) == (0, "")
    return ended


def context(ended: Ended) -> str:
    document = cast("dict[str, dict[str, str]]", ended.document)
    return document["hookSpecificOutput"]["additionalContext"]


def problems(program: Program) -> str:
    log = Path(program.environ["HOME"]) / ".local/state/mcp-memory/hook.log"
    return log.read_text() if log.exists() else ""


@pytest.fixture
def remembering(program: Program, notes: Path) -> Program:
    """The program on a database that has some notes."""
    assert program.run("index", str(notes)).code == 0
    return program


def test_a_prompt_recalls_what_mentions_it(remembering: Program) -> None:
    ended = hook(remembering, "UserPromptSubmit", prompt="What is the lighthouse keeper called?")
    text = context(ended)
    assert "called Ada" in text
    assert "MEMORY.md#L" in text
    assert own_words("user", text, {}) == ""
    assert problems(remembering) == ""


@pytest.mark.parametrize("prompt", ["How do I bake bread at home?", "thanks!", "", "?!"])
def test_a_prompt_about_nothing_we_know_recalls_nothing(remembering: Program, prompt: str) -> None:
    assert hook(remembering, "UserPromptSubmit", prompt=prompt).stdout == ""
    assert problems(remembering) == ""


def test_a_session_begins_with_what_is_durable(remembering: Program) -> None:
    assert "called Ada" in context(hook(remembering, "SessionStart", source="startup"))


def test_what_was_said_is_kept_and_comes_back_after_a_compaction(
    remembering: Program, tmp_path: Path
) -> None:
    file = str(write(tmp_path / "x.jsonl", CLAUDE_CODE))
    assert hook(remembering, "Stop", transcript_path=file).stdout == ""
    summary = "They spoke of the Gannet."
    resumed = hook(remembering, "PostCompact", transcript_path=file, compact_summary=summary)
    assert "Paint the Gannet." in context(resumed)
    assert "Paint the Gannet." in context(hook(remembering, "SessionStart", source="compact"))
    assert hook(remembering, "SessionEnd", transcript_path=file).stdout == ""
    again = remembering.run("transcript", "import", file, "--json")
    assert cast("list[dict[str, object]]", again.document)[0]["appended"] == 0
    assert problems(remembering) == ""


def test_a_file_that_is_not_there_is_no_problem(remembering: Program) -> None:
    assert hook(remembering, "Stop", transcript_path="/nowhere/x.jsonl").stdout == ""
    assert problems(remembering) == ""


@pytest.mark.slow
@pytest.mark.parametrize("stdin", ["", "not json", "[]", "null"])
def test_nonsense_on_stdin_is_borne_in_silence(remembering: Program, stdin: str) -> None:
    ended = remembering.spawn("hook", "UserPromptSubmit", stdin=stdin)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "", "")


def test_an_unknown_event_is_borne_in_silence(program: Program) -> None:
    assert hook(program, "Tomorrow").stdout == ""


def test_a_database_that_is_down_is_borne_in_silence_and_logged(bare: Program) -> None:
    url = "postgresql://ann:hidden@127.0.0.1:9/x"
    down = Program({**bare.environ, "MCP_MEMORY_DATABASE_URL": url})
    assert hook(down, "UserPromptSubmit", prompt="the lighthouse").stdout == ""
    assert "UserPromptSubmit OperationalError" in problems(down)
    assert "hidden" not in problems(down)


def test_a_setting_that_is_wrong_is_borne_in_silence_and_logged(bare: Program) -> None:
    wrong = Program({**bare.environ, "MCP_MEMORY_DATABASE_ULR": "x"})
    assert hook(wrong, "Stop").stdout == ""
    assert "MCP_MEMORY_DATABASE_ULR" in problems(wrong)


def test_a_database_of_another_version_is_left_alone(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("DELETE FROM mcp_memory.migrations WHERE number > 3")
    assert hook(program, "UserPromptSubmit", prompt="the lighthouse").stdout == ""
    assert "migration" in problems(program)


def test_the_clients_settings_call_every_event() -> None:
    settings = hook_settings(["/a b/python", "-m", "mcp_memory"])
    assert list(settings) == [
        "SessionStart",
        "UserPromptSubmit",
        "PostCompact",
        "Stop",
        "SessionEnd",
    ]
    assert settings["Stop"] == [
        {
            "hooks": [
                {
                    "type": "command",
                    "command": "'/a b/python' -m mcp_memory hook Stop",
                    "timeout": 10,
                }
            ]
        }
    ]
