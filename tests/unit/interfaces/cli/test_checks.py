"""What is said of servers and databases that the tests have not got."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mcp_memory.interfaces.cli.checks import check_diagnosis
from mcp_memory.postgres.diagnosis import Diagnosis, Inside, Server
from mcp_memory.postgres.migrate import AppliedMigration, list_shipped

SERVER = Server(
    number=170002,
    version="17.2",
    login="acme",
    is_superuser=False,
    may_create_databases=True,
    may_create_roles=True,
    is_read_only=False,
    now=datetime.now(UTC),
)
INSIDE = Inside(
    encoding="UTF8",
    pgvector="0.8.5",
    pgvector_on_server="0.8.5",
    may_install_pgvector=True,
    has_schema=True,
    may_write=True,
    worker_role="acme_mcp_worker",
)
APPLIED = [
    AppliedMigration(each.number, each.name, each.sha256, SERVER.now) for each in list_shipped()
]


def _states(
    server: Server, inside: Inside | None, applied: list[AppliedMigration]
) -> dict[str, str]:
    findings = check_diagnosis("main", Diagnosis(server, inside, applied))
    return {finding.check: finding.state for finding in findings if finding.state != "ok"}


def test_a_good_database_has_no_findings_but_good_ones() -> None:
    assert _states(replace(SERVER, now=datetime.now(UTC)), INSIDE, APPLIED) == {}


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"number": 140011, "version": "14.11"}, {"server": "problem"}),
        ({"now": datetime.now(UTC) - timedelta(hours=1)}, {"clock": "warning"}),
        ({"is_read_only": True}, {"writing": "problem"}),
    ],
)
def test_a_server_that_will_not_do(changed: dict[str, object], expected: dict[str, str]) -> None:
    server = replace(SERVER, **{"now": datetime.now(UTC), **changed})
    assert _states(server, INSIDE, APPLIED) == expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"encoding": "LATIN1"}, {"database": "problem"}),
        ({"pgvector": "0.7.4"}, {"pgvector": "problem"}),
        ({"pgvector": "0.8.1"}, {"pgvector": "warning"}),
        ({"pgvector": "0.8"}, {"pgvector": "warning"}),
        ({"pgvector": "0.8.2"}, {}),
        ({"pgvector": "0.10.0"}, {}),
        ({"pgvector": "", "pgvector_on_server": ""}, {"pgvector": "problem"}),
        ({"pgvector": "", "may_install_pgvector": False}, {"pgvector": "problem"}),
        ({"pgvector": ""}, {}),
        ({"worker_role": ""}, {}),
        ({"may_write": False}, {"writing": "problem"}),
    ],
)
def test_a_database_that_will_not_do(changed: dict[str, str], expected: dict[str, str]) -> None:
    server = replace(SERVER, now=datetime.now(UTC))
    assert _states(server, replace(INSIDE, **changed), APPLIED) == expected


def test_a_login_without_roles_is_warned_that_it_is_slower() -> None:
    server = replace(SERVER, now=datetime.now(UTC), may_create_roles=False)
    assert _states(server, INSIDE, APPLIED) == {}
    assert _states(server, replace(INSIDE, worker_role=""), APPLIED) == {"isolation": "warning"}


def test_a_database_that_does_not_exist_is_fine_when_it_can_be_created() -> None:
    server = replace(SERVER, now=datetime.now(UTC))
    assert _states(server, None, []) == {}
    refused = replace(server, may_create_databases=False)
    assert _states(refused, None, []) == {"database": "problem"}


def test_migrations_of_another_version_are_a_problem_and_missing_ones_are_not() -> None:
    server = replace(SERVER, now=datetime.now(UTC))
    assert _states(server, INSIDE, APPLIED[:1]) == {}
    newer = AppliedMigration(APPLIED[-1].number + 1, "later", "x", SERVER.now)
    assert _states(server, INSIDE, [*APPLIED, newer]) == {"migrations": "problem"}
    changed = replace(APPLIED[0], sha256="x")
    assert _states(server, INSIDE, [changed, *APPLIED[1:]]) == {"migrations": "problem"}
    unreleased = [AppliedMigration(number, "old", "x", SERVER.now) for number in range(1, 20)]
    assert _states(server, INSIDE, unreleased[:18]) == {"migrations": "problem"}
    assert _states(server, INSIDE, unreleased) == {"migrations": "warning"}


def test_whatever_is_not_good_comes_with_its_mend() -> None:
    server = replace(SERVER, number=140000, is_read_only=True, may_create_roles=False)
    inside = replace(INSIDE, pgvector="0.7", encoding="LATIN1", worker_role="", may_write=False)
    findings = list(check_diagnosis("main", Diagnosis(server, inside, [])))
    assert [finding for finding in findings if bool(finding.mend) == (finding.state == "ok")] == []
