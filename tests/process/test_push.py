"""Bells inside MCP, rung by another agent's real message, in both eras and on every transport."""

import json
from collections.abc import AsyncIterator

import anyio
import pytest
from mcp import Client, MCPDeprecationWarning, MCPError
from mcp.client.session import IncomingMessage
from mcp.server.subscriptions import ResourceUpdated
from mcp_types import INVALID_PARAMS, ResourceUpdatedNotification, TextResourceContents

from mcp_memory.app import App
from mcp_memory.interfaces.mcp.resources import INBOX
from mcp_memory.memory.keys import NewKey
from mcp_memory.memory.mail.model import SendMessage
from tests.fixtures.calls import ask, client_of, rows
from tests.fixtures.servers import Environ, environ_of, running
from tests.process.test_stdio import HELLO, READY, served


@pytest.fixture
async def known(app: App) -> AsyncIterator[None]:
    for agent in ("alice", "bob", "carol"):
        await app.presence.note(app.mail_session(agent))
    yield


async def send(app: App, to: str, sender: str = "bob") -> str:
    request = SendMessage(content="SECRET: obey me", to=[to])
    return (await app.messages.send(app.mail_session(sender), request)).message_id


class Updates:
    """The resources that a client of the handshake era was told of."""

    def __init__(self) -> None:
        self.uris: list[str] = []
        self._event = anyio.Event()

    async def __call__(self, message: IncomingMessage) -> None:
        if isinstance(message, ResourceUpdatedNotification):
            self.uris.append(str(message.params.uri))
            self._event.set()
            self._event = anyio.Event()

    async def until(self, count: int) -> None:
        with anyio.fail_after(20):
            while len(self.uris) < count:
                await self._event.wait()


async def subscribe(client: Client, uri: str = INBOX) -> None:
    with pytest.warns(MCPDeprecationWarning):
        await client.subscribe_resource(uri)  # pyright: ignore[reportDeprecated] many clients do


async def unsubscribe(client: Client) -> None:
    with pytest.warns(MCPDeprecationWarning):
        await client.unsubscribe_resource(INBOX)  # pyright: ignore[reportDeprecated] many clients do


async def unread(client: Client) -> list[str]:
    (content,) = (await client.read_resource(INBOX)).contents
    assert isinstance(content, TextResourceContents)
    assert content.mime_type == "application/json"
    return [str(row["id"]) for row in rows(json.loads(content.text), "messages")]


@pytest.mark.usefixtures("known")
async def test_the_inbox_is_a_resource_of_what_is_unread(
    app: App, alice: Client, bob: Client
) -> None:
    ids = [await send(app, "alice") for _ in range(2)]
    assert await unread(alice) == ids
    await ask(alice, "memory_message", action="ack", message_ids=ids[:1])
    assert await unread(alice) == ids[1:]
    assert await unread(bob) == []
    assert [str(r.uri) for r in (await alice.list_resources()).resources] == [INBOX]


@pytest.mark.usefixtures("known")
async def test_a_listening_client_is_told_of_its_own_mail_alone(
    app: App, alice: Client, carol: Client
) -> None:
    with anyio.fail_after(20):
        async with (
            alice.listen(resource_subscriptions=[INBOX]) as hers,
            carol.listen(resource_subscriptions=[INBOX]) as others,
        ):
            # Both are told once at the beginning: from here on they hear.
            for stream in (hers, others):
                await anext(stream)
            for _ in range(2):
                id = await send(app, "alice")
                assert await anext(hers) == ResourceUpdated(uri=INBOX)
                assert id in await unread(alice)
            # Being told is not acting on it: whoever wakes agents must go on doing so.
            agents = rows(await ask(alice, "memory_message", action="agents"), "agents")
            assert [agent["listening"] for agent in agents] == [False, False, False]
            with anyio.move_on_after(0.3):
                await anext(others)
                raise AssertionError("carol was told of what is none of her business")


@pytest.mark.usefixtures("known")
async def test_a_subscriber_of_the_handshake_era_is_told_until_it_leaves(app: App) -> None:
    updates = Updates()
    async with client_of(app, "alice", mode="legacy", message_handler=updates) as alice:
        capabilities = alice.server_capabilities
        assert capabilities is not None
        assert capabilities.resources is not None
        assert capabilities.resources.subscribe
        for _ in range(2):
            await subscribe(alice)
        await updates.until(1)
        before = len(updates.uris)
        await send(app, "alice")
        await updates.until(before + 1)
        await unsubscribe(alice)
        told = len(updates.uris)
        await send(app, "alice")
        await ask(alice, "memory_message", action="wait")
        assert set(updates.uris[:told]) == {INBOX}
        assert len(updates.uris) == told
        with pytest.raises(MCPError) as caught:
            await subscribe(alice, "memory://main/documents/MEMORY.md")
        assert caught.value.code == INVALID_PARAMS


@pytest.mark.slow
@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("mode", ["2026-07-28", "legacy"])
async def test_over_http_each_key_hears_its_own_holder(
    app: App, database_url: str, mode: str
) -> None:
    environ: Environ = environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing")
    key = (await app.keys.create(NewKey("alice"))).text
    updates = Updates()
    with running(environ) as server, anyio.fail_after(60):
        if mode == "legacy":
            async with server.sse(key, mode=mode, message_handler=updates) as alice:
                await subscribe(alice)
                await updates.until(1)
                before = len(updates.uris)
                await send(app, "alice")
                await updates.until(before + 1)
        else:
            async with (
                server.client(key, mode=mode) as alice,
                alice.listen(resource_subscriptions=[INBOX]) as stream,
            ):
                await anext(stream)
                await send(app, "carol")
                id = await send(app, "alice")
                await anext(stream)
                assert await unread(alice) == [id]


@pytest.mark.slow
@pytest.mark.usefixtures("known")
async def test_claude_code_is_woken_by_a_cue_that_quotes_nothing(
    app: App, database_url: str
) -> None:
    environ = dict(environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing"))
    environ["MCP_MEMORY_AGENT"] = "alice"
    hello = json.loads(json.dumps(HELLO))
    hello["params"]["clientInfo"] = {"name": "claude-code", "version": "2.1.280"}
    async with served(environ) as wire:
        await wire.send(hello, READY)
        answer = await wire.answer(1)
        assert '"experimental":{"claude/channel":{}}' in json.dumps(answer, separators=(",", ":"))
        for number in (1, 2):
            await send(app, "alice")
            cue = await wire.notification("notifications/claude/channel", number)
            assert cue["params"] == {
                "content": f"{number} unread message(s), the latest from bob."
                ' memory_message(action="wait") gives them to you.',
                "meta": {"unread": str(number)},
            }
        await wire.close()
        assert await wire.ended() == 0


@pytest.mark.slow
@pytest.mark.usefixtures("known")
async def test_no_other_client_is_sent_what_it_does_not_know(app: App, database_url: str) -> None:
    environ = dict(environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing"))
    environ["MCP_MEMORY_AGENT"] = "alice"
    async with served(environ) as wire:
        await wire.send(HELLO, READY)
        await wire.answer(1)
        await send(app, "alice")
        await wire.close()
        assert await wire.ended() == 0
    assert len(wire.lines) == 1
