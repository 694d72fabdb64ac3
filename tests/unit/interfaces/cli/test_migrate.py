"""`migrate`: a database's migrations, shown and moved."""

from pathlib import Path
from typing import cast

import anyio
import psycopg
import pytest

from mcp_memory.postgres.migrate import list_shipped, newest
from mcp_memory.transfer.archive import Archive
from tests.fixtures.legacy import make_legacy_database
from tests.fixtures.program import Program

COUNT = len(list_shipped())
NEWEST = newest(list_shipped())


def _states(program: Program, *options: str) -> list[str]:
    ended = program.run("migrate", "status", "--json", *options)
    return [str(step["state"]) for step in cast("list[dict[str, object]]", ended.document)]


def test_status_lists_every_migration(program: Program) -> None:
    assert _states(program) == ["applied"] * COUNT
    lines = program.run("migrate", "status").stdout.splitlines()
    assert lines[0] == "NUMBER\tNAME\tSTATE\tAPPLIED"
    assert [line.split("\t")[1] for line in lines[1:]] == [each.name for each in list_shipped()]


def test_down_up_and_to_move_the_database(program: Program) -> None:
    moves = [
        (["down"], f"main: migration {NEWEST} -> {NEWEST - 1}", COUNT - 1),
        (["up"], f"main: migration {NEWEST - 1} -> {NEWEST}", COUNT),
        (["up"], f"main: at migration {NEWEST} already", COUNT),
        (["down", "2"], f"main: migration {NEWEST} -> {NEWEST - 2}", COUNT - 2),
        (["to", "0"], f"main: migration {NEWEST - 2} -> 0", 0),
        (["to", str(NEWEST)], f"main: migration 0 -> {NEWEST}", COUNT),
    ]
    for arguments, said, after in moves:
        ended = program.run("migrate", *arguments)
        assert (ended.code, ended.stdout) == (0, f"{said}\n"), ended.stderr
        assert _states(program) == ["applied"] * after + ["pending"] * (COUNT - after)


def test_a_number_that_is_not_there_is_refused(program: Program) -> None:
    ended = program.run("migrate", "to", str(NEWEST + 1))
    assert (ended.code, ended.stdout) == (1, "")
    assert _states(program) == ["applied"] * COUNT


@pytest.fixture
def legacy(bare: Program, empty_database_url: str, server_url: str) -> Program:
    """The program on a database of the last unreleased build."""
    anyio.run(make_legacy_database, empty_database_url, server_url)
    return Program({**bare.environ, "MCP_MEMORY_DATABASE_URL": empty_database_url})


def test_one_of_the_unreleased_build_asks_for_a_dump(legacy: Program, tmp_path: Path) -> None:
    refused = legacy.run("migrate", "up")
    assert refused.code == 1
    assert "--no-dump" in refused.stderr
    assert legacy.run("migrate", "down").code == 1
    assert _states(legacy) == ["pending"] * COUNT + ["unknown"] * 19

    file = tmp_path / "before.dump"
    assert legacy.run("migrate", "up", "--dump", str(file)).code == 0
    assert _states(legacy) == ["applied"] * COUNT
    assert Archive(file).count_rows()["migrations"] == 19


def test_a_dump_that_cannot_be_written_changes_nothing(legacy: Program, tmp_path: Path) -> None:
    file = tmp_path / "before.dump"
    file.write_text("something else")

    assert legacy.run("migrate", "up", "--dump", str(file)).code == 1

    assert file.read_text() == "something else"
    assert _states(legacy) == ["pending"] * COUNT + ["unknown"] * 19


def test_it_is_taken_over_without_a_dump_when_that_is_said(legacy: Program) -> None:
    assert legacy.run("migrate", "up", "--no-dump").code == 0
    assert _states(legacy) == ["applied"] * COUNT


def test_status_of_an_unknown_database_creates_nothing(program: Program) -> None:
    assert program.run("migrate", "status", "--database", "travel").code == 1
    assert "travel" not in program.run("databases", "list").stdout


def test_up_creates_a_database_that_is_named(program: Program) -> None:
    assert program.run("migrate", "up", "--database", "travel").code == 0
    assert _states(program, "--database", "travel") == ["applied"] * COUNT


def test_a_changed_and_a_newer_migration_are_told(program: Program, database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE mcp_memory.migrations SET sha256 = 'x' WHERE number = 20")
        conn.execute(
            "INSERT INTO mcp_memory.migrations (number, name, sha256) VALUES (9999, 'later', 'x')"
        )
    assert _states(program) == ["changed", *["applied"] * (COUNT - 1), "unknown"]
