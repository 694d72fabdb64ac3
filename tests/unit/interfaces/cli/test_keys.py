"""`keys`: made and shown once, listed without what proves them, revoked."""

from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from mcp_memory.memory.keys import Token
from tests.fixtures.program import Program


def _created(program: Program, *options: str) -> dict[str, object]:
    done = program.run("keys", "create", "--json", *options)
    assert done.code == 0, done.stderr
    return cast("dict[str, object]", done.document)


def _listed(program: Program) -> list[dict[str, object]]:
    return cast("list[dict[str, object]]", program.run("keys", "list", "--json").document)


def test_a_created_key_is_described_in_json(program: Program) -> None:
    before = datetime.now(UTC)
    options = ("--scope", "read", "--database", "main", "--expires", "30d")
    created = _created(program, "--agent", "alice", *options)
    token = Token.parse(str(created["key"]))
    assert token is not None
    expires = datetime.fromisoformat(str(created.pop("expires_at")))
    assert timedelta(days=30) <= expires - before <= timedelta(days=30, minutes=1)
    assert created == {
        "id": token.id,
        "key": token.text,
        "agent": "alice",
        "scopes": ["read"],
        "databases": ["main"],
    }


def test_without_json_stdout_is_the_key_alone(program: Program) -> None:
    done = program.run("keys", "create", "--agent", "alice")
    token = Token.parse(done.stdout.strip())
    assert token is not None
    assert token.secret not in done.stderr
    assert "read, write; all databases; until revoked" in done.stderr


def test_the_list_shows_every_key_and_no_secret(program: Program) -> None:
    created = _created(program, "--agent", "alice")
    program.run("keys", "revoke", str(created["id"]))
    _created(program, "--agent", "bob", "--scope", "admin", "--scope", "read")
    shown = [(key["agent"], key["scopes"], key["status"]) for key in _listed(program)]
    assert shown == [
        ("alice", ["read", "write"], "revoked"),
        ("bob", ["admin", "read"], "usable"),
    ]
    token = Token.parse(str(created["key"]))
    assert token is not None
    assert token.secret not in program.run("keys", "list").stdout


def test_an_agents_keys_are_revoked_together(program: Program) -> None:
    for _ in range(2):
        _created(program, "--agent", "alice")
    assert len(program.run("keys", "revoke", "--agent", "alice").stdout.splitlines()) == 2
    assert program.run("keys", "revoke", "--agent", "alice").stdout.startswith("Nothing to revoke")


def test_an_unknown_key_is_an_error_that_does_not_repeat_what_was_given(program: Program) -> None:
    token = Token.fresh()
    done = program.run("keys", "revoke", token.text)
    assert done.code == 1
    assert token.secret[:8] not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("create",),
        ("create", "--agent", "not an agent"),
        ("create", "--agent", "alice", "--scope", "all"),
        ("create", "--agent", "alice", "--expires", "soon"),
        ("create", "--agent", "alice", "--expires", "0d"),
        ("revoke",),
        ("revoke", "0123456789ab", "--agent", "alice"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(bare: Program, arguments: tuple[str, ...]) -> None:
    assert bare.run("keys", *arguments).code == 2
