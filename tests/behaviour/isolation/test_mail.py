"""Who reads and changes mail, held by the database also when our own WHERE clauses are gone."""

from typing import LiteralString

import psycopg
import pytest

from mcp_memory.app import App
from mcp_memory.memory.mail.model import SendMessage
from tests.fixtures.mail import arrive, contents, send, take
from tests.fixtures.tables import all_rows_of_every_table


async def as_agent(app: App, agent: str, statement: LiteralString) -> int:
    """How many rows the statement reached."""
    async with app.mail_session(agent).writing() as conn:
        return (await conn.execute(statement)).rowcount


async def test_nobody_but_the_two_sees_a_message(app: App) -> None:
    await arrive(app, "bob", "carol")
    await app.messages.send(
        app.mail_session("alice"), SendMessage("heron", ["bob"], subject="egret")
    )
    await app.messages.acknowledge(app.mail_session("bob"), ["1"], note="bittern")

    for agent, shown in [("carol", ()), ("bob", ("heron", "egret", "bittern"))]:
        async with app.mail_session(agent).reading() as conn:
            seen = await all_rows_of_every_table(conn)
        assert [word for word in ("heron", "egret", "bittern") if word in seen] == list(shown)


async def test_the_sender_neither_reads_nor_changes_deliveries(app: App) -> None:
    await arrive(app, "bob")
    await send(app, "alice", "bob", "heron")

    assert await as_agent(app, "alice", "SELECT FROM deliveries") == 0
    assert await as_agent(app, "alice", "UPDATE deliveries SET state = 'acknowledged'") == 0
    assert await as_agent(app, "alice", "DELETE FROM deliveries") == 0
    assert contents(await take(app, "bob")) == ["heron"]


async def test_the_recipient_does_not_change_what_was_written(app: App) -> None:
    await arrive(app, "bob")
    await send(app, "alice", "bob", "heron")

    assert await as_agent(app, "bob", "UPDATE messages SET content = 'crow'") == 0
    assert await as_agent(app, "bob", "DELETE FROM messages") == 0
    assert contents(await take(app, "bob")) == ["heron"]


@pytest.mark.parametrize(
    ("agent", "statement"),
    [
        ("bob", "UPDATE deliveries SET message_id = 2"),
        ("bob", "UPDATE deliveries SET agent_id = 'carol'"),
        (
            "alice",
            (
                "INSERT INTO deliveries (agent_id, message_id, sender, priority, state)"
                " VALUES ('carol', 1, 'alice', 5, 'acknowledged')"
            ),
        ),
        (
            "carol",
            (
                "INSERT INTO deliveries (agent_id, message_id, sender, priority)"
                " VALUES ('carol', 1, 'alice', 5)"
            ),
        ),
        (
            "carol",
            (
                "INSERT INTO messages (agent_id, recipients, is_public, thread_id, subject,"
                " content, type, channel, priority)"
                " VALUES ('alice', '{bob}', false, 1, '', 'x', 'm', '', 5)"
            ),
        ),
        ("carol", "INSERT INTO channel_subscriptions (agent_id, channel) VALUES ('bob', 'x')"),
        ("carol", "INSERT INTO agents (agent_id) VALUES ('nobody')"),
    ],
)
async def test_nobody_acts_for_another(app: App, agent: str, statement: LiteralString) -> None:
    await arrive(app, "bob", "carol")
    await send(app, "alice", "bob", "heron")
    await send(app, "alice", "carol", "secret")

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await as_agent(app, agent, statement)


async def test_a_delivery_of_anothers_message_cannot_be_added_in_ones_own_name(app: App) -> None:
    await arrive(app, "bob", "carol")
    await send(app, "alice", "bob", "heron")

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        await as_agent(
            app,
            "carol",
            "INSERT INTO deliveries (agent_id, message_id, sender, priority)"
            " VALUES ('carol', 1, 'carol', 5)",
        )
