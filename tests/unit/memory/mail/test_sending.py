"""One message as the database keeps it: all of it, or nothing."""

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.errors import RecipientUnknown
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.memory.mail.model import SendMessage
from tests.fixtures.mail import arrive, contents, send, take
from tests.fixtures.postgres import MakeConfig


async def audited(app: App) -> list[tuple[str, str, str, str]]:
    """Who did what, in order."""
    async with app.mail_session("alice").maintaining() as conn:
        found = await conn.execute(
            "SELECT agent_id, action, kind, object_id FROM audit_log ORDER BY id"
        )
        return [(str(a), str(b), str(c), str(d)) for a, b, c, d in await found.fetchall()]


async def test_a_message_is_audited_with_its_id(app: App) -> None:
    await arrive(app, "bob")
    number = await send(app, "alice", "bob", "hello")

    assert await audited(app) == [("alice", "send", "message", str(number))]


async def test_nothing_is_audited_where_that_is_off(make_config: MakeConfig) -> None:
    async with open_app(make_config(audit={"enabled": False})) as app:
        await arrive(app, "bob")
        await send(app, "alice", "bob", "hello")
        await app.documents.write(app.session("alice"), WriteDocument("a.md", "text"))

        assert await audited(app) == []


async def test_one_stranger_among_many_and_nothing_is_sent(app: App) -> None:
    await arrive(app, "alice", "bob", "carol")
    with pytest.raises(RecipientUnknown) as caught:
        await app.messages.send(
            app.mail_session("alice"), SendMessage("hello", ["bob", "carl", "carol", "eve"])
        )

    assert caught.value.names == ["carl", "eve"]
    assert caught.value.known == ["alice", "bob", "carol"]
    assert await take(app, "bob") == await take(app, "carol") == []
    assert await audited(app) == []


async def test_who_is_named_twice_gets_it_once(app: App) -> None:
    await arrive(app, "alice", "bob")
    sent = await app.messages.send(
        app.mail_session("alice"), SendMessage("hello", ["bob", "alice", "bob"])
    )

    assert sent.recipients == ["bob", "alice"]
    assert contents(await take(app, "bob")) == contents(await take(app, "alice")) == ["hello"]


async def test_who_subscribed_is_written_to_though_nobody_noted_him(app: App) -> None:
    await arrive(app, "bob")
    await app.directory.subscribe(app.mail_session("bob"), "harbour")
    async with app.mail_session("alice").maintaining() as conn:
        await conn.execute("DELETE FROM agents WHERE agent_id = 'bob'")
    await app.messages.send(app.mail_session("alice"), SendMessage("hello", channel="harbour"))

    assert contents(await take(app, "bob")) == ["hello"]
