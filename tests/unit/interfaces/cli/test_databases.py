"""`databases`: made, listed, entered and dropped."""

from typing import cast

import pytest

from mcp_memory.postgres.addresses import with_database
from tests.fixtures.program import Program


def _listed(program: Program) -> dict[str, dict[str, object]]:
    rows = cast("list[dict[str, object]]", program.run("databases", "list", "--json").document)
    return {str(row["name"]): row for row in rows}


def test_a_created_database_is_listed_beside_the_default(program: Program) -> None:
    assert program.run("databases", "create", "travel").stdout == "The database travel is ready.\n"
    rows = _listed(program)
    assert {name: (row["status"], row["is_default"]) for name, row in rows.items()} == {
        "main": ("ready", True),
        "travel": ("ready", False),
    }
    assert cast("int", rows["travel"]["size_bytes"]) > 0


def test_the_piped_list_is_a_line_a_database(program: Program) -> None:
    lines = program.run("databases", "list").stdout.splitlines()
    assert lines[0] == "NAME\tDEFAULT\tSTATUS\tSIZE\tURL"
    assert lines[1].split("\t")[:3] == ["main", "*", "ready"]


def test_a_dropped_database_is_gone_with_what_it_held(program: Program, notes: object) -> None:
    program.run("index", str(notes), "--database", "travel")
    assert program.run("databases", "drop", "travel", "--yes").code == 0
    assert set(_listed(program)) == {"main"}
    assert program.run("search", "zebras", "--database", "travel").code == 1


def test_nothing_is_dropped_without_a_yes(program: Program) -> None:
    program.run("databases", "create", "travel")
    assert program.run("databases", "drop", "travel").code == 2
    assert set(_listed(program)) == {"main", "travel"}


def test_the_default_database_is_dropped_by_force_alone(program: Program) -> None:
    assert program.run("databases", "drop", "main", "--yes").code == 2
    assert program.run("migrate", "status").code == 0
    assert program.run("databases", "drop", "main", "--yes", "--force").code == 0
    assert program.run("migrate", "status").code == 1


def test_dropping_what_is_not_there_is_an_error_that_tells_what_is(program: Program) -> None:
    ended = program.run("databases", "drop", "travel", "--yes")
    assert (ended.code, ended.stderr) == (
        1,
        "mcp-memory: No database 'travel'. Known: main. Nothing was dropped.\n",
    )


def test_a_list_with_a_server_that_is_away_marks_it_and_fails(program: Program) -> None:
    away = {"MCP_MEMORY__DATABASES__AWAY__URL": "postgresql://u:s3cret@127.0.0.1:1/x"}
    program.run("databases", "create", "travel")
    ended = program.run("databases", "list", **away)
    assert ended.code == 1
    assert [line.split("\t")[2].partition(":")[0] for line in ended.stdout.splitlines()[1:]] == [
        "ready",
        "unavailable",
        "ready",
    ]
    assert ended.stderr.startswith("mcp-memory: unavailable: away. ")
    as_json = program.run("databases", "list", "--json", **away)
    assert (as_json.code, len(cast("list[object]", as_json.document))) == (1, 3)


def test_a_name_that_no_database_may_have_is_refused_with_the_nearest(program: Program) -> None:
    ended = program.run("databases", "create", 'Tra"vel; DROP')
    assert ended.code == 1
    assert "'tra_vel_drop'" in ended.stderr


def test_a_kept_url_is_known_to_the_next_process(program: Program, database_url: str) -> None:
    base = database_url.rpartition("/")[2].partition("?")[0]
    url = with_database(database_url, f"{base}_elsewhere")
    told = program.run("databases", "create", "away", "--url", url)
    assert "not remembered" in told.stdout
    assert "away" not in _listed(program)
    kept = program.run("databases", "create", "away", "--url", url, "--persist")
    assert (kept.code, kept.stdout) == (0, "The database away is ready.\n")
    assert program.run("databases", "url", "away").stdout == f"{url}\n"


def test_the_url_is_masked_unless_the_password_is_asked_for(bare: Program) -> None:
    url = "postgresql://u:s3cret@127.0.0.1:1/x"
    variables = {"MCP_MEMORY_DATABASE_URL": url}
    masked = bare.run("databases", "url", **variables)
    assert masked.stdout == "postgresql://u:***@127.0.0.1:1/x\n"
    assert bare.run("databases", "url", "--show-password", **variables).stdout == f"{url}\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", [["main"], []])
def test_the_shell_is_psql_in_the_database(program: Program, name: list[str]) -> None:
    program.run("databases", "list")
    query = "SELECT count(*), current_schema() FROM documents"
    ended = program.spawn("databases", "shell", *name, "--", "-At", "-c", query)
    assert (ended.code, ended.stdout) == (0, "0|mcp_memory\n")


@pytest.mark.slow
def test_the_shell_ends_as_psql_ends(program: Program) -> None:
    ended = program.spawn("databases", "shell", "main", "-v", "ON_ERROR_STOP=1", "-f", "/nowhere")
    assert (ended.code, ended.stdout) == (1, "")


@pytest.mark.slow
def test_there_is_no_shell_in_an_unknown_database(program: Program) -> None:
    ended = program.spawn("databases", "shell", "mian")
    assert ended.code == 1
    assert "'main'" in ended.stderr
