"""Mail between real bridges whose agents are careless, malicious or killed."""

import signal
from typing import cast

import anyio
import pytest

from mcp_memory.app import App
from tests.fixtures.bridge import Bridge, bridge
from tests.fixtures.calls import Facts
from tests.fixtures.mail import arrive, send
from tests.fixtures.servers import Environ, environ_of

pytestmark = pytest.mark.slow

TOOL = "memory_message"
CHANNELS = [
    "'; DROP TABLE mcp_memory.messages; --",
    '"quoted" :word $1 %s %(x)s \\',
    "😀" * 500,
    "LISTEN *",
    "*",
]


@pytest.fixture
def environ(database_url: str) -> Environ:
    return environ_of(
        database_url,
        MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing",
        MCP_MEMORY__MESSAGES__LEASE_SECONDS="1",
    )


async def refused(bridge: Bridge, id: str, **params: object) -> object:
    """The code under which the request is refused."""
    await bridge.request(id, TOOL, **params)
    return cast("Facts", (await bridge.answer(id))["error"])["code"]


def ids(answer: Facts, key: str = "messages") -> list[str]:
    return [str(each["id"]) for each in cast("list[Facts]", answer[key])]


async def test_who_is_killed_while_it_drains_leaves_the_rest_to_its_twin(
    app: App, environ: Environ
) -> None:
    await arrive(app, "bob")
    sent = [str(await send(app, "alice", "bob", str(number))) for number in range(40)]
    acknowledged: list[str] = []

    async def drain(bob: Bridge, rounds: int) -> None:
        for turn in range(rounds):
            taken = ids(await bob.ask(f"w{turn}", TOOL, action="wait", limit=4, timeout_seconds=5))
            if not taken:
                return
            await bob.ask(f"a{turn}", TOOL, action="ack", message_ids=taken)
            acknowledged.extend(taken)

    async def hold_and_die(bob: Bridge) -> None:
        await drain(bob, 2)
        assert len(ids(await bob.ask("held", TOOL, action="wait", limit=4))) == 4
        bob.process.send_signal(signal.SIGKILL)

    async with bridge(environ, "bob") as doomed, bridge(environ, "bob") as twin:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drain, twin, 3)
            tasks.start_soon(hold_and_die, doomed)
        await drain(twin, 100)

    assert sorted(acknowledged, key=int) == sent
    assert await app.messages.unread(app.mail_session("bob")) == 0


async def test_nobody_acknowledges_or_asks_for_what_is_anothers(app: App, environ: Environ) -> None:
    await arrive(app, "bob", "mallory")
    number = str(await send(app, "alice", "bob", "hello"))
    async with bridge(environ, "mallory") as mallory:
        assert await refused(mallory, "a", action="ack", message_ids=[number]) == "not_found"
        assert await refused(mallory, "s", action="status", message_id=number) == "not_found"
        reply: Facts = {"action": "send", "content": "x", "reply_to": number}
        assert await refused(mallory, "r", **reply) == "not_found"
        history = await mallory.ask("h", TOOL, action="history", thread_id=number)
        assert history["messages"] == []
    assert await app.messages.unread(app.mail_session("bob")) == 1


async def test_what_expires_at_once_is_handed_out_to_nobody_and_can_be_answered(
    app: App, environ: Environ
) -> None:
    await arrive(app, "alice", "bob")
    async with bridge(environ, "alice") as alice, bridge(environ, "bob") as bob:
        short: Facts = {"action": "send", "content": "now", "expires_in": "0.01"}
        sent = await alice.ask("s", TOOL, to="bob", **short)
        number = str(sent["message_id"])
        await anyio.sleep(0.02)  # until it has expired
        assert ids(await bob.ask("w", TOOL, action="wait", timeout_seconds=0.1)) == []
        status = await alice.ask("st", TOOL, action="status", message_id=number)
        (recipient,) = cast("list[Facts]", status["recipients"])
        assert (recipient["agent"], recipient["state"]) == ("bob", "expired")
        late = await bob.ask("r", TOOL, action="send", content="too late", reply_to=number)
        assert late["thread_id"] == number
        assert ids(await alice.ask("w", TOOL, action="wait")) == [late["message_id"]]
        for span in ("0", "-1", "soon", "999999d"):
            bad: Facts = {"action": "send", "content": "x", "expires_in": span}
            assert await refused(alice, span, to="bob", **bad) == "bad_request"


async def test_a_key_is_for_one_message(app: App, environ: Environ) -> None:
    await arrive(app, "bob", "carol")
    async with bridge(environ, "alice") as alice:
        once: Facts = {"action": "send", "to": "bob", "content": "x", "idempotency_key": "k"}
        first = await alice.ask(1, TOOL, **once)
        assert await alice.ask(2, TOOL, **once) == first
        assert await refused(alice, "content", **once | {"content": "y"}) == "conflict"
        assert await refused(alice, "to", **once | {"to": "carol"}) == "conflict"
        together = [f"t{number}" for number in range(8)]
        for id in together:
            await alice.request(id, TOOL, **once | {"idempotency_key": "at once"})
        while len([each for each in alice.lines if each.get("id") in together]) < len(together):
            await alice.next()
        answers = [each["result"] for each in alice.lines if each.get("id") in together]
        assert answers == [answers[0]] * len(together)
    assert await app.messages.unread(app.mail_session("bob")) == 2


async def test_everybody_is_who_is_known_when_it_is_sent(app: App, environ: Environ) -> None:
    await arrive(app, "alice", "bob")
    async with bridge(environ, "alice") as alice, bridge(environ, "bob") as bob:
        before = await alice.ask(1, TOOL, action="send", to="*", content="before")
        async with bridge(environ, "carol") as carol:
            after = await alice.ask(2, TOOL, action="send", to="*", content="after")
            assert (before["recipients"], after["recipients"]) == (["bob"], ["bob", "carol"])
            assert await carol.mail(1) == [after["message_id"]]
            assert await bob.mail(2) == [before["message_id"], after["message_id"]]
            assert carol.announced() == [after["message_id"]]


async def test_a_channel_may_be_called_anything(app: App, environ: Environ) -> None:
    await arrive(app, "alice")
    async with bridge(environ, "alice") as alice, bridge(environ, "bob") as bob:
        for number, channel in enumerate(CHANNELS):
            await bob.ask(f"s{number}", "_subscribe", channel=channel)
            sent = await alice.ask(number, TOOL, action="send", channel=channel, content="hello")
            assert await bob.mail(1) == [sent["message_id"]]
            found = await bob.ask(f"h{number}", TOOL, action="history", channel=channel)
            assert ids(found) == [sent["message_id"]]
            long: Facts = {"action": "send", "content": "x", "channel": channel + "x" * 500}
            assert await refused(alice, f"l{number}", **long) == "bad_request"


async def test_waits_that_are_cancelled_at_any_moment_hold_nothing(
    app: App, environ: Environ
) -> None:
    await arrive(app, "bob")
    patient = {**environ, "MCP_MEMORY__MESSAGES__LEASE_SECONDS": "300"}
    async with bridge(patient, "bob") as bob:
        for number in range(20):
            await bob.request(f"w{number}", TOOL, action="wait", timeout_seconds=60)
            await anyio.sleep(0.004 * number)
            await send(app, "alice", "bob", str(number))
            await bob.request(f"c{number}", "_cancel", id=f"w{number}")
            answer = await bob.answer(f"w{number}")
            if "result" in answer:
                taken = ids(cast("Facts", answer["result"]))
                await bob.ask(f"a{number}", TOOL, action="ack", message_ids=taken)
        left = ids(await bob.ask("rest", TOOL, action="wait", timeout_seconds=0, limit=100))
        if left:
            await bob.ask("last", TOOL, action="ack", message_ids=left)
    assert await app.messages.unread(app.mail_session("bob")) == 0
