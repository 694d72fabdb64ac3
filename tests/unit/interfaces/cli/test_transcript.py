"""`transcript`: sessions out of files, once and as they grow, and old ones away."""

import json
from pathlib import Path
from typing import cast

import pytest

from tests.fixtures.program import Program, next_line
from tests.fixtures.transcript_files import CLAUDE_CODE, claude, lines, write


@pytest.fixture
def session(tmp_path: Path) -> Path:
    return write(tmp_path / "session.jsonl", CLAUDE_CODE)


def test_a_file_is_taken_once(program: Program, session: Path) -> None:
    first = program.run("transcript", "import", str(session))
    assert (first.code, first.stderr) == (0, "")
    assert first.stdout == (
        f"{session} (claude-code): 8 messages, 1 left out\n  session 5d0f3a52-session\n"
    )
    again = program.run("transcript", "import", str(session), "--json")
    (taken,) = cast("list[dict[str, object]]", again.document)
    assert (taken["appended"], taken["duplicates"]) == (0, 0)


def test_bad_lines_are_named(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('nonsense\n{"role": "user", "content": "hello"}\n')
    ended = program.run("transcript", "import", str(file), "--format", "jsonl")
    assert ended.code == 0
    assert "1 message, 1 line not understood" in ended.stdout
    assert "at byte 0" in ended.stderr


def test_a_file_without_one_message_is_an_error_each_time(
    program: Program, session: Path, tmp_path: Path
) -> None:
    file = tmp_path / "x.jsonl"
    file.write_text('nonsense\n{"speaker": "Ann", "says": "hello"}\n')
    for _ in range(2):
        ended = program.run("transcript", "import", str(file), str(session), "--format", "jsonl")
        assert ended.code == 1
        assert f"no line of {file}" in ended.stderr
    again = program.run("transcript", "import", str(file), str(session))
    assert again.code == 1
    assert "8 messages" in again.stdout
    ended = program.run("transcript", "import", str(file), "--json")
    (taken,) = cast("list[dict[str, object]]", ended.document)
    assert (ended.code, taken["understood"], taken["bad_lines"]) == (1, False, 2)


def test_a_missing_file_is_a_mistake_of_usage(program: Program) -> None:
    assert program.run("transcript", "import", "/nowhere/x.jsonl").code == 2


@pytest.mark.slow
def test_a_watched_file_is_followed_through_rotation(program: Program, session: Path) -> None:
    with program.start("transcript", "import", str(session), "--watch") as watching:
        try:
            assert next_line(watching.stdout).endswith("8 messages, 1 left out")
            next_line(watching.stdout)
            with session.open("a") as opened:
                opened.write(lines([claude(11, "user", "one more")]))
            assert next_line(watching.stdout).endswith("1 message")
            next_line(watching.stdout)
            session.rename(session.with_suffix(".old"))
            write(session, [claude(20, "user", "after"), claude(21, "user", "rotation")])
            assert next_line(watching.stdout).endswith("2 messages")
        finally:
            watching.terminate()


def test_prune_counts_and_removes(program: Program, tmp_path: Path) -> None:
    message = {"role": "user", "content": "old", "created_at": "2020-01-01T00:00:00Z"}
    file = tmp_path / "x.jsonl"
    file.write_text(json.dumps(message | {"source": "chat"}) + "\n")
    program.run("transcript", "import", str(file))
    prune = ("transcript", "prune", "--source", "chat", "--older-than", "30", "--json")
    kept = program.run(*prune)
    dry = program.run(*prune, "--unsummarized", "--dry-run")
    gone = program.run(*prune, "--unsummarized")
    assert [
        cast("list[dict[str, object]]", each.document)[0]["messages"] for each in (kept, dry, gone)
    ] == [0, 1, 1]


@pytest.mark.parametrize(
    "options",
    [
        ["--older-than", "3"],
        ["--unsummarized"],
        ["--source", "chat"],
        ["--source", "chat", "--older-than", "0"],
    ],
)
def test_prune_without_a_source_or_an_age_is_a_mistake(
    program: Program, options: list[str]
) -> None:
    assert program.run("transcript", "prune", *options).code == 2
