"""`index`: files become documents that every process finds, once and as they change."""

import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import psycopg
import pytest

from tests.fixtures.program import Program, next_line

MANY = 250


def _paths_found(program: Program, query: str, *options: str) -> list[str]:
    """What a process finds that has written nothing itself."""
    answer = cast("dict[str, object]", program.run("search", query, "--json", *options).document)
    return [str(result["path"]) for result in cast("list[dict[str, object]]", answer["results"])]


@pytest.mark.slow
def test_an_indexed_folder_is_found_by_another_process(program: Program, notes: Path) -> None:
    ended = program.spawn("index", str(notes))
    assert (ended.code, ended.stdout) == (0, "3 written, 0 unchanged, 4 skipped\n")
    assert ended.stderr.splitlines() == [
        f"skipped {notes / '.git'}: hidden",
        f"skipped {notes / 'binary.md'}: binary",
        f"skipped {notes / 'latin.md'}: not UTF-8 text",
        f"skipped {notes / 'trips/loop'}: a link; --follow-links takes it",
    ]
    assert _paths_found(program, "who is the lighthouse keeper") == ["MEMORY.md"]


def test_a_second_run_rewrites_nothing(program: Program, notes: Path) -> None:
    program.run("index", str(notes))
    again = program.run("index", str(notes), "--json")
    document = cast("dict[str, object]", again.document)
    assert (document["written"], document["unchanged"]) == ([], 3)


def test_only_what_changed_is_written_again(program: Program, notes: Path) -> None:
    program.run("index", str(notes))
    (notes / "MEMORY.md").write_text("The keeper is called Grace now.\n")
    again = cast("dict[str, object]", program.run("index", str(notes), "--json").document)
    assert (again["written"], again["unchanged"]) == (["MEMORY.md"], 2)
    assert _paths_found(program, "Grace") == ["MEMORY.md"]


def test_prefix_tags_and_sharing_hold_for_every_document(program: Program, notes: Path) -> None:
    program.run("index", str(notes), "--prefix", "home", "--tags", "a, b", "--shared")
    found = _paths_found(program, "lighthouse keeper", "--agent", "ben", "--tag", "b")
    assert found == ["home/MEMORY.md"]
    assert _paths_found(program, "lighthouse keeper", "--tag", "c") == []


def test_documents_are_private_unless_shared(program: Program, notes: Path) -> None:
    program.run("index", str(notes), "--agent", "ada")
    assert _paths_found(program, "lighthouse keeper", "--agent", "ben") == []
    assert _paths_found(program, "lighthouse keeper", "--agent", "ada") == ["MEMORY.md"]


def test_another_database_is_created_by_indexing_into_it(program: Program, notes: Path) -> None:
    assert program.run("index", str(notes), "--database", "travel").code == 0
    assert _paths_found(program, "fjord", "--database", "travel") == ["trips/norway.txt"]
    assert _paths_found(program, "fjord") == []


def test_a_path_the_memory_refuses_is_skipped_and_the_rest_is_written(
    program: Program, notes: Path
) -> None:
    (notes / "line\nbreak.md").write_text("x\n")
    ended = program.run("index", str(notes))
    assert (ended.code, ended.stdout) == (0, "3 written, 0 unchanged, 5 skipped\n")
    assert "control characters" in ended.stderr


def test_a_file_over_the_limit_is_skipped(program: Program, notes: Path) -> None:
    ended = program.run("index", str(notes / "MEMORY.md"), MCP_MEMORY__LIMITS__CONTENT_BYTES="10")
    assert (ended.code, ended.stdout) == (0, "0 written, 0 unchanged, 1 skipped\n")
    assert "over the limit of 10 bytes" in ended.stderr


@pytest.mark.parametrize(
    "arguments", [(), ("/nowhere/at/all",), (".", "--delete")], ids=["none", "missing", "delete"]
)
def test_what_cannot_be_meant_is_a_usage_error(bare: Program, arguments: tuple[str, ...]) -> None:
    assert bare.run("index", *arguments).code == 2


@contextmanager
def _watching(program: Program, *arguments: str) -> Generator["subprocess.Popen[str]"]:
    """An `index --watch` that has said that it watches."""
    process = program.start("index", "--watch", *arguments)
    try:
        said = next_line(process.stdout)
        while said and not said.startswith("watching"):
            said = next_line(process.stdout)
        assert said, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_watched_folder_is_followed(program: Program, notes: Path) -> None:
    with _watching(program, str(notes)) as process:
        (notes / "new.md").write_text("A walrus moved in.\n")
        assert next_line(process.stdout) == "written new.md"
        assert _paths_found(program, "walrus") == ["new.md"]
        (notes / "new.md").unlink()
        kept = "kept new.md, whose file is gone; --delete deletes it"
        assert next_line(process.stdout) == kept
        assert _paths_found(program, "walrus") == ["new.md"]


def test_documents_of_removed_folders_are_deleted_when_asked_for(
    program: Program, notes: Path
) -> None:
    with _watching(program, str(notes), "--delete") as process:
        (notes / "trips").rename(notes.parent / "away")
        gone = {next_line(process.stdout), next_line(process.stdout)}
        assert gone == {"deleted trips/crlf.md", "deleted trips/norway.txt"}
        assert _paths_found(program, "fjord") == []
        (notes.parent / "away").rename(notes / "back")
        back = {next_line(process.stdout) for _ in range(2)}
        assert {"written back/crlf.md", "written back/norway.txt"} >= back - {""}


def test_a_single_watched_file_survives_its_replacement(program: Program, notes: Path) -> None:
    with _watching(program, str(notes / "MEMORY.md")) as process:
        draft = notes / "draft.tmp"
        draft.write_text("The keeper is a walrus.\n")
        draft.replace(notes / "MEMORY.md")
        assert next_line(process.stdout) == "written MEMORY.md"
        assert _paths_found(program, "walrus") == ["MEMORY.md"]


def test_ctrl_c_ends_watching_with_130_and_no_traceback(program: Program, notes: Path) -> None:
    with _watching(program, str(notes)) as process:
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in stderr


def test_what_was_acknowledged_survives_a_kill(program: Program, notes: Path) -> None:
    with _watching(program, str(notes)) as process:
        for number in range(50):
            (notes / f"note{number}.md").write_text(f"Note {number} tells of walruses.\n")
        acknowledged = [next_line(process.stdout).removeprefix("written ") for _ in range(5)]
        process.kill()
    found = _paths_found(program, "walruses", "--max-results", "100", "--min-score", "0")
    assert set(acknowledged) <= set(found)


@pytest.mark.slow
def test_an_indexing_that_was_killed_is_taken_up_again(
    program: Program, database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"{number}.md").write_text(f"# Note {number}\n\nOf walruses.\n")
    process = program.start("index", str(folder))
    try:
        done_before_the_kill = _wait_for_rows(database_url, process)
    finally:
        process.kill()
        process.communicate()
    again = cast("dict[str, object]", program.run("index", str(folder), "--json").document)
    written = cast("list[str]", again["written"])
    unchanged = cast("int", again["unchanged"])
    assert len(written) + unchanged == MANY
    assert done_before_the_kill <= unchanged < MANY
    assert _broken_documents(database_url) == []


def _wait_for_rows(url: str, process: "subprocess.Popen[str]") -> int:
    """How many documents there are, as soon as there is one, while the process runs."""
    with psycopg.connect(url, autocommit=True) as conn:
        while process.poll() is None:
            row = conn.execute("SELECT count(*) FROM mcp_memory.documents").fetchone()
            if row and row[0]:
                return int(row[0])
    raise AssertionError(process.communicate())


def _broken_documents(url: str) -> list[object]:
    """Documents without their text or without their chunk."""
    query = """
    SELECT d.path
    FROM mcp_memory.documents d
    WHERE NOT EXISTS (SELECT FROM mcp_memory.document_versions v
                      WHERE v.document_id = d.id AND v.version = d.version)
       OR NOT EXISTS (SELECT FROM mcp_memory.chunks c WHERE c.document_id = d.id)
    """
    with psycopg.connect(url) as conn:
        return [row[0] for row in conn.execute(query).fetchall()]
