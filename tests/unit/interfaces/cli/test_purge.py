"""`purge`: what was deleted longer ago than it can be brought back goes for good."""

from typing import cast

import psycopg
import pytest

from tests.fixtures.program import Program


@pytest.fixture
def deleted(program: Program, notes: object, database_url: str) -> Program:
    """Two documents of ada and one of ben, deleted 40, 3 and 40 days ago; an old and a new key."""
    program.run("index", str(notes), "--agent", "ada")
    program.run("index", f"{notes}/MEMORY.md", "--agent", "ben")
    with psycopg.connect(database_url) as conn:
        conn.execute("UPDATE mcp_memory.documents SET deleted_at = now() - interval '40 days'")
        conn.execute(
            "UPDATE mcp_memory.documents SET deleted_at = now() - interval '3 days'"
            " WHERE path = 'trips/norway.txt'"
        )
        conn.execute("DELETE FROM mcp_memory.documents WHERE path = 'trips/crlf.md'")
        conn.execute(
            "INSERT INTO mcp_memory.idempotency_keys"
            " (agent_id, key, request_hash, response, created_at)"
            " SELECT 'ada', days::text, '', '{}', now() - make_interval(days => days)"
            " FROM unnest(ARRAY[1, 40]) AS days"
        )
    return program


def _purged(program: Program, *options: str) -> tuple[object, object]:
    document = cast("dict[str, object]", program.run("purge", "--json", *options).document)
    return document["documents"], document["idempotency_keys"]


def test_what_is_past_recovery_goes_once(deleted: Program) -> None:
    assert _purged(deleted) == (2, 1)
    assert _purged(deleted) == (0, 0)


def test_a_dry_run_counts_and_removes_nothing(deleted: Program) -> None:
    said = (
        "Would remove 2 deleted documents, 0 memories, 0 messages, 0 rings"
        " and 1 idempotency keys.\n"
    )
    assert deleted.run("purge", "--dry-run").stdout == said
    assert _purged(deleted) == (2, 1)


def test_one_agent_can_be_named(deleted: Program) -> None:
    assert _purged(deleted, "--agent", "ben") == (1, 0)
    assert _purged(deleted, "--agent", "ada") == (1, 1)


def test_another_age_can_be_asked_for(deleted: Program) -> None:
    assert _purged(deleted, "--older-than", "60d") == (0, 1)
    assert _purged(deleted, "--older-than", "1d") == (3, 0)


def test_living_documents_stay_whatever_the_age(program: Program, notes: object) -> None:
    program.run("index", str(notes))
    assert _purged(program, "--older-than", "0d") == (0, 0)
    assert "Ada" in program.run("search", "lighthouse keeper").stdout


@pytest.mark.parametrize("age", ["soon", "2999-01-01"])
def test_an_age_that_is_none_is_a_usage_error(bare: Program, age: str) -> None:
    assert bare.run("purge", "--older-than", age).code == 2
