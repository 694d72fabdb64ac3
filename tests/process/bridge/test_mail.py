"""Mail as events of real bridges: each message once, in order, whatever happens meanwhile."""

import signal
from typing import cast

import anyio
import anyio.to_thread
import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.mail.model import MailFilter, SendMessage
from tests.fixtures.bridge import bridge
from tests.fixtures.calls import Facts
from tests.fixtures.listeners import closed_to_newcomers, kill_listeners
from tests.fixtures.mail import arrive, config_at
from tests.fixtures.postgres_servers import ADMIN, TcpServer
from tests.fixtures.servers import Environ, environ_of

pytestmark = pytest.mark.slow


@pytest.fixture
def environ(database_url: str) -> Environ:
    return environ_at(database_url)


def environ_at(url: str) -> Environ:
    return environ_of(url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing")


@pytest.fixture
async def sender(app: App) -> str:
    """Bob, who may write to alice and carol because they were seen."""
    for agent in ("alice", "bob", "carol"):
        await app.presence.note(app.mail_session(agent))
    return "bob"


async def send(app: App, *to: str, **more: object) -> str:
    request = SendMessage(content="hello", to=to, **more)  # pyright: ignore[reportArgumentType] the test names the fields
    return (await app.messages.send(app.mail_session("bob"), request)).message_id


async def test_mail_is_an_event_as_soon_as_it_is_sent(
    app: App, sender: str, environ: Environ
) -> None:
    subject = 'it\'s "quoted": :word $1 \\ 😀 \u2028 end'
    async with bridge(environ, "alice") as alice:
        id = await send(app, "alice", subject=subject, priority=9, type="question")
        assert await alice.event("new_message") == {
            "event": "new_message",
            "data": {
                "id": id,
                "from": sender,
                "to": "alice",
                "type": "question",
                "subject": subject,
                "channel": "",
                "priority": 9,
                "thread_id": id,
            },
        }
        agents = await alice.ask(1, "memory_message", action="agents")
        listening = {a["agent"]: a["listening"] for a in cast("list[Facts]", agents["agents"])}
        assert listening == {"alice": True, "bob": False, "carol": False}


@pytest.mark.usefixtures("sender")
async def test_what_was_sent_before_is_told_at_the_start_unless_it_is_read(
    app: App, environ: Environ
) -> None:
    ids = [await send(app, "alice") for _ in range(5)]
    await app.messages.acknowledge(app.mail_session("alice"), ids[:2])
    for _ in range(2):
        async with bridge(environ, "alice") as alice:
            assert await alice.mail(3) == ids[2:]
            looked = await alice.ask(1, "memory_message", action="inbox")
            assert len(cast("list[Facts]", looked["messages"])) == 3


@pytest.mark.usefixtures("sender")
async def test_a_lost_connection_loses_and_repeats_nothing(
    app: App, environ: Environ, database_url: str, server_url: str
) -> None:
    async with bridge(environ, "alice") as alice:
        first = await send(app, "alice")
        assert await alice.mail(1) == [first]
        with closed_to_newcomers(database_url, server_url) as inside:
            assert kill_listeners(inside) == 1
            ids = [await send(app, "alice") for _ in range(10)]
        assert await alice.event("reconnected") == {"event": "reconnected", "missed": 10}
        assert await alice.mail(10) == ids
        last = await send(app, "alice")
        assert await alice.mail(1) == [last]
        assert alice.announced() == [first, *ids, last]


@pytest.mark.usefixtures("sender")
async def test_ten_losses_during_many_sends_lose_and_repeat_nothing(
    app: App, environ: Environ, database_url: str
) -> None:
    async def kill_ten_times() -> None:
        killed = 0
        with psycopg.connect(database_url, autocommit=True) as conn:
            while killed < 10:
                killed += await anyio.to_thread.run_sync(kill_listeners, conn)
                await anyio.sleep(0.05)

    async with bridge(environ, "alice") as alice, anyio.create_task_group() as tasks:
        tasks.start_soon(kill_ten_times)
        ids = [await send(app, "alice") for _ in range(300)]
        assert await alice.mail(300) == ids
        # Whatever comes twice would have come before this.
        last = await send(app, "alice")
        assert await alice.mail(1) == [last]


async def test_a_restart_of_the_server_loses_and_repeats_nothing(
    own_tcp_server: TcpServer,
) -> None:
    url = own_tcp_server.url(ADMIN, "memory")
    async with open_app(config_at(url)) as app:
        await arrive(app, "alice", "bob")
        # Not a fork: a launcher cannot pass SIGSTOP on.
        async with bridge(environ_at(url), "alice", is_cold=True) as alice:
            first = await send(app, "alice")
            assert await alice.mail(1) == [first]
            # It must find out afterwards: what is sent meanwhile is certainly missed.
            alice.process.send_signal(signal.SIGSTOP)
            await anyio.to_thread.run_sync(own_tcp_server.stop)
            await anyio.to_thread.run_sync(own_tcp_server.start)
            missed = [await send(app, "alice") for _ in range(3)]
            alice.process.send_signal(signal.SIGCONT)
            assert await alice.event("reconnected") == {"event": "reconnected", "missed": 3}
            last = await send(app, "alice")
            assert await alice.mail(4) == [*missed, last]
            assert alice.announced() == [first, *missed, last]


@pytest.mark.usefixtures("sender")
async def test_everybody_is_told_of_a_broadcast_once(app: App, environ: Environ) -> None:
    async with (
        bridge(environ, "alice") as alice,
        bridge(environ, "alice") as twin,
        bridge(environ, "carol") as carol,
        bridge(environ, "bob") as bob,
    ):
        everybody = await send(app, "*")
        alone = await send(app, "carol")
        assert await alice.mail(1) == await twin.mail(1) == [everybody]
        assert await carol.mail(2) == [everybody, alone]
        both = await send(app, "alice", "carol")
        assert await alice.mail(1) == await twin.mail(1) == await carol.mail(1) == [both]
        assert bob.announced() == []


@pytest.mark.usefixtures("sender")
async def test_channels_are_heard_from_the_moment_they_are_subscribed(
    app: App, environ: Environ
) -> None:
    name = "x" * 300 + " 'a' :b 😀"
    async with bridge(environ, "alice") as alice:
        assert await alice.ask(1, "_subscribe", channel=name) == {"channels": [name]}
        id = await send(app, channel=name)
        event = await alice.event("new_message")
        assert cast("Facts", event["data"])["channel"] == name
        assert await alice.ask(2, "_subscribe", channel="b") == {"channels": ["b", name]}
        assert await alice.ask(3, "_unsubscribe", channel=name) == {"channels": ["b"]}
    async with bridge(environ, "alice") as again:
        assert again.lines[0]["channels"] == ["b"]
        assert await again.mail(1) == [id]


@pytest.mark.usefixtures("sender")
async def test_what_a_cancelled_wait_gives_back_is_not_news(app: App, environ: Environ) -> None:
    async with bridge(environ, "alice") as alice:
        id = await send(app, "alice")
        assert await alice.mail(1) == [id]
        claimed = await alice.ask(1, "memory_message", action="wait")
        assert [m["id"] for m in cast("list[Facts]", claimed["messages"])] == [id]
        await alice.request("w", "memory_message", action="wait", from_agent="carol")
        await alice.ask(2, "_cancel", id="w")
        await alice.ask(3, "memory_message", action="ack", message_ids=[id])
        last = await send(app, "alice")
        assert await alice.mail(1) == [last]
        assert alice.announced() == [id, last]


@pytest.mark.usefixtures("sender")
async def test_what_another_process_holds_is_told_when_its_lease_is_over(
    app: App, environ: Environ
) -> None:
    held = await send(app, "alice")
    taken = await app.messages.wait(
        app.mail_session("alice"), MailFilter(), timeout_seconds=0, limit=1
    )
    assert [str(mail.id) for mail in taken] == [held]
    async with bridge(environ, "alice") as alice:
        free = await send(app, "alice")
        assert await alice.mail(1) == [free]
        async with app.mail_session("alice").maintaining() as conn:
            await conn.execute("UPDATE deliveries SET leased_until = now()")
        assert await alice.mail(1) == [held]


@pytest.mark.usefixtures("sender")
async def test_a_call_that_names_another_agent_redirects_no_wake(
    app: App, environ: Environ
) -> None:
    async with bridge(environ, "alice") as alice, bridge(environ, "carol") as carol:
        await alice.ask(1, "memory_message", action="inbox", from_agent="carol")
        await alice.request(2, "memory_message", action="wait", agent="carol")
        assert "error" in await alice.answer(2)
        to_carol, to_alice = await send(app, "carol"), await send(app, "alice")
        assert await alice.mail(1) == [to_alice]
        assert await carol.mail(1) == [to_carol]
