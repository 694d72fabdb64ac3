"""Letting go of mail: what is over at every recipient for long enough, and nothing else."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.errors import MailNotFound
from mcp_memory.memory.mail.model import HistoryFilter, PurgedMail, SendMessage
from tests.fixtures.postgres import MakeConfig
from tests.messaging.mail import acknowledge, arrive, contents, send, take

# Forty days pass for all that has happened so far.
AGE = """
ALTER TABLE mcp_memory.deliveries DISABLE TRIGGER refuse_readdressing;
UPDATE mcp_memory.messages SET sent_at = sent_at - interval '40 days';
UPDATE mcp_memory.deliveries
SET acknowledged_at = acknowledged_at - interval '40 days',
    expires_at = expires_at - interval '40 days';
UPDATE mcp_memory.wake_attempts SET ended_at = ended_at - interval '40 days';
UPDATE mcp_memory.wake_jobs SET queued_at = queued_at - interval '40 days';
ALTER TABLE mcp_memory.deliveries ENABLE TRIGGER refuse_readdressing;
"""

MAKE_DOORBELL = "INSERT INTO mcp_memory.wake_leases (agent_id, min_priority) VALUES ('bob', 0)"

# Each bell has been rung, with a ring of its own.
RING = """
INSERT INTO mcp_memory.wake_attempts (id, agent_id, kind, state, ended_at)
SELECT md5(message_id::text)::uuid, agent_id, 'webhook', 'rung', now() FROM mcp_memory.wake_jobs;
UPDATE mcp_memory.wake_jobs SET state = 'rung', attempt_id = md5(message_id::text)::uuid;
"""


def change(url: str, statements: LiteralString) -> None:
    with psycopg.connect(url) as conn:
        conn.execute(statements)


@pytest.fixture
async def app(make_config: MakeConfig) -> AsyncIterator[App]:
    """An app that lets mail go after thirty days."""
    async with open_app(make_config(messages={"retention_days": 30})) as opened:
        await arrive(opened, "alice", "bob", "carol")
        yield opened


async def in_history(app: App, agent: str) -> list[str]:
    return contents((await app.messages.history(app.mail_session(agent), HistoryFilter())).rows)


async def test_what_is_over_everywhere_goes_and_the_rest_stays(app: App, database_url: str) -> None:
    await send(app, "alice", "bob", "read")
    await acknowledge(app, "bob", await take(app, "bob"))
    expiring = SendMessage("expired", ["bob"], expires_in=timedelta(hours=1))
    await app.messages.send(app.mail_session("alice"), expiring)
    everybody = await send(app, "alice", "*", "read by one of two")
    await app.messages.acknowledge(app.mail_session("bob"), [str(everybody)])
    await send(app, "alice", "bob", "unread")
    change(database_url, AGE)
    await send(app, "alice", "bob", "read today", priority=9)
    await acknowledge(app, "bob", await take(app, "bob", limit=1))

    assert await app.messages.purge(app.mail_session("alice"), dry_run=True) == PurgedMail(2, 0)
    assert await app.messages.purge(app.mail_session("alice")) == PurgedMail(2, 0)
    assert await app.messages.purge(app.mail_session("alice")) == PurgedMail(0, 0)

    kept = ["read today", "unread", "read by one of two"]
    assert await in_history(app, "alice") == await in_history(app, "bob") == kept
    assert contents(await take(app, "bob")) == ["unread"]
    assert contents(await take(app, "carol")) == ["read by one of two"]


async def test_without_the_setting_all_mail_is_kept(
    app: App, make_config: MakeConfig, database_url: str
) -> None:
    await send(app, "alice", "bob", "read")
    await acknowledge(app, "bob", await take(app, "bob"))
    change(database_url, AGE)

    async with open_app(make_config()) as careful:
        assert await careful.messages.purge(careful.mail_session("alice")) == PurgedMail(0, 0)

    assert await in_history(app, "bob") == ["read"]


async def test_one_senders_mail_can_be_let_go(app: App, database_url: str) -> None:
    for sender in ("alice", "carol"):
        await send(app, sender, "bob", f"from {sender}")
    await acknowledge(app, "bob", await take(app, "bob"))
    change(database_url, AGE)

    assert await app.messages.purge(app.mail_session("alice"), owner="carol") == PurgedMail(1, 0)
    assert await in_history(app, "bob") == ["from alice"]


async def test_an_answer_outlives_what_it_answers(app: App, database_url: str) -> None:
    asked = await send(app, "alice", "bob", "question")
    await acknowledge(app, "bob", await take(app, "bob"))
    change(database_url, AGE)
    answer = await app.messages.send(
        app.mail_session("bob"), SendMessage("answer", reply_to=str(asked))
    )
    await app.messages.purge(app.mail_session("alice"))
    more = await app.messages.send(
        app.mail_session("alice"), SendMessage("thanks", reply_to=answer.message_id)
    )

    found = (
        await app.messages.history(app.mail_session("bob"), HistoryFilter(thread_id=asked))
    ).rows
    assert [(mail.content, mail.reply_to) for mail in found] == [
        ("thanks", int(answer.message_id)),
        ("answer", None),
    ]
    assert more.thread_id == answer.thread_id == str(asked)
    with pytest.raises(MailNotFound):
        await app.messages.send(app.mail_session("bob"), SendMessage("again", reply_to=str(asked)))


async def test_old_rings_go_and_unread_mail_is_not_rung_for_again(
    app: App, make_config: MakeConfig, database_url: str
) -> None:
    change(database_url, MAKE_DOORBELL)
    read, unread = [await send(app, "alice", "bob", each) for each in ("read", "unread")]
    await app.messages.acknowledge(app.mail_session("bob"), [str(read)])
    change(database_url, RING)
    change(database_url, AGE)

    async with open_app(make_config()) as keeps_mail:
        assert await keeps_mail.messages.purge(
            keeps_mail.mail_session("alice"), dry_run=True
        ) == PurgedMail(0, 1)
        assert await keeps_mail.messages.purge(keeps_mail.mail_session("alice")) == PurgedMail(0, 1)

    assert await app.wake.states(app.mail_session("alice"), str(read)) == []
    (bell,) = await app.wake.states(app.mail_session("alice"), str(unread))
    assert bell.state == "rung"
