"""Ringing for mail: through an endpoint that fails in every way, and when no ring is needed."""

import json
import logging
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.mail.model import SendMessage
from mcp_memory.memory.mail.wake.model import BROKEN_AFTER
from tests.fixtures.mail import acknowledge, arrive, send, take
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.program import Program
from tests.fixtures.wake import (
    QUICK,
    bell,
    held_as_listener,
    ringing,
    until_announced,
    until_bell,
    until_problem,
)
from tests.fixtures.wake_endpoint import Endpoint, endpoint, status


def waking(make_config: MakeConfig, receiver: Endpoint, **route: object) -> Config:
    """A configuration by which bob is woken through that endpoint."""
    routes = {"bob": {"kind": "webhook", "url": receiver.url(), "token": "s3cret", **route}}
    return make_config(wake=QUICK, wake_routes=routes, embeddings={"provider": "hashing"})


async def test_a_sleeper_is_rung_and_the_sender_sees_it(make_config: MakeConfig) -> None:
    async with endpoint() as receiver, ringing(waking(make_config, receiver)) as app:
        await arrive(app, "alice", "bob")
        number = await send(app, "alice", "bob", "the tide turns", priority=7)

        (heard,) = await receiver.until_heard(1)

        assert heard.told == {
            "id": heard.key,
            "event": "mail",
            "agent": "bob",
            "messages": 1,
            "senders": [{"agent": "alice", "messages": 1}],
            "highest_priority": 7,
            "message_ids": [str(number)],
            "tool": "memory_message",
            "arguments": {"action": "wait"},
            "cue": (
                "Mail for agent bob: 1 new message from alice, highest priority 7. Call the tool"
                ' memory_message with action="wait" to read, then with action="ack" for each'
                " you have dealt with."
            ),
        }
        rung = await until_bell(app, "alice", number, "rung")
        assert (rung.agent, rung.kind, rung.attempts, rung.problem) == ("bob", "webhook", 1, "")
        assert await app.wake.states(app.mail_session("bob"), str(number)) == []


async def test_each_test_ring_has_a_key_of_its_own(make_config: MakeConfig) -> None:
    """An endpoint that refuses a key it knows answers the second one too."""
    async with endpoint() as receiver, open_app(waking(make_config, receiver)) as app:
        for _ in range(2):
            assert (await app.wake.test(app.mail_session(app.config.agent), "bob")).problem == ""

        first, second = await receiver.until_heard(2)

    assert (first.told["event"], first.told["id"]) == ("test", first.key)
    assert first.key != second.key


async def test_an_endpoint_that_fails_in_every_way_is_rung_until_it_works(
    make_config: MakeConfig,
) -> None:
    answers = [status(500), status(429, "Retry-After: 1"), "hang", "close"]
    async with endpoint(*answers) as receiver:
        config = waking(make_config, receiver, timeout_seconds=0.5)
        async with ringing(config) as app:
            await arrive(app, "alice", "bob")
            number = await send(app, "alice", "bob", "hello")

            heard = await receiver.until_heard(5)
            rung = await until_bell(app, "alice", number, "rung")

    assert len(heard) == 5
    assert len({each.key for each in heard}) == 1
    assert len({each.body for each in heard}) == 1
    assert [each.headers["x-mcp-memory-attempt"] for each in heard] == ["1", "2", "3", "4", "5"]
    assert rung.attempts == 5


async def test_no_attempt_comes_before_the_endpoint_asks_for_it(make_config: MakeConfig) -> None:
    answer = status(429, "Retry-After: 2")
    async with endpoint(answer) as receiver, ringing(waking(make_config, receiver)) as app:
        await arrive(app, "alice", "bob")
        await send(app, "alice", "bob", "hello")
        await receiver.until_heard(1)
        asked_at = anyio.current_time()
        await receiver.until_heard(2)
        waited = anyio.current_time() - asked_at

    assert waited > 1.9


async def test_a_route_that_fails_again_and_again_is_rung_rarely_until_it_works(
    make_config: MakeConfig, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.memory.mail.wake.model.MAX_PAUSE_SECONDS", 2.0)
    async with endpoint(*[status(500)] * (BROKEN_AFTER + 1)) as receiver:
        with caplog.at_level(logging.WARNING):
            async with ringing(waking(make_config, receiver)) as app:
                await arrive(app, "alice", "bob")
                number = await send(app, "alice", "bob", "hello")
                await receiver.until_heard(BROKEN_AFTER)
                broken_at = anyio.current_time()
                await receiver.until_heard(BROKEN_AFTER + 2)
                tried_for = anyio.current_time() - broken_at
                await until_bell(app, "alice", number, "rung")
                (listed,) = await app.wake.list(app.mail_session(app.config.agent))

    # Single attempts, each after a full pause; the first that works ends it.
    assert tried_for > 2 * 2.0 / 2
    assert caplog.text.count("the wake route of bob is broken: HTTP 500") == 1
    assert listed.outbox is not None
    assert (listed.outbox.failures, listed.outbox.problem) == (0, "")


async def test_between_attempts_the_sender_sees_what_went_wrong(make_config: MakeConfig) -> None:
    async with (
        endpoint(status(503, "Retry-After: 3600")) as receiver,
        ringing(waking(make_config, receiver)) as app,
    ):
        await arrive(app, "alice", "bob")
        number = await send(app, "alice", "bob", "hello")
        await receiver.until_heard(1)

        found = await until_problem(app, "alice", number)

        assert (found.state, found.problem, found.attempts) == ("trying", "HTTP 503", 1)
        (listed,) = await app.wake.list(app.mail_session(app.config.agent))
        assert listed.outbox is not None
        wait = listed.outbox.next_try_at - found.changed_at
        assert wait.total_seconds() > 3000


async def test_what_is_given_up_is_visible_and_logged(
    make_config: MakeConfig, caplog: pytest.LogCaptureFixture, database_url: str, tmp_path: Path
) -> None:
    async with endpoint(*[status(500)] * 50) as receiver:
        patience = {**QUICK, "give_up_hours": 2.0 / 3600}
        config = waking(make_config, receiver)
        config = config.model_copy(update={"wake": config.wake.model_copy(update=patience)})
        with caplog.at_level(logging.WARNING):
            async with ringing(config) as app:
                await arrive(app, "alice", "bob")
                number = await send(app, "alice", "bob", "hello")
                given_up = await until_bell(app, "alice", number, "given_up")
                (listed,) = await app.wake.list(app.mail_session(app.config.agent))
    # Another process, which has no route for bob, sees it too.
    own = Program({"HOME": str(tmp_path), "MCP_MEMORY_DATABASE_URL": database_url})
    doctor = await anyio.to_thread.run_sync(own.run, "doctor", "--json")
    findings: Any = {each["check"]: each for each in json.loads(doctor.stdout)}

    assert findings["bells bob"]["state"] == "warning"
    assert findings["bells bob"]["what"].startswith("1 ring for unread mail given up")
    assert given_up.problem == "HTTP 500"
    assert given_up.attempts == len(receiver.heard) > 1
    assert listed.outbox is not None
    assert (listed.outbox.given_up, listed.outbox.waiting) == (1, 0)
    assert "HTTP 500" in caplog.text


async def test_a_burst_is_one_ring(make_config: MakeConfig) -> None:
    async with endpoint() as receiver:
        config = waking(make_config, receiver)
        slow = config.wake.model_copy(update={"gather_seconds": 1.0})
        async with ringing(config.model_copy(update={"wake": slow})) as app:
            await arrive(app, "alice", "bob", "carol")
            await until_announced(app)
            numbers = [await send(app, "alice", "bob", str(each)) for each in range(9)]
            numbers.append(await send(app, "carol", "bob", "and I"))

            (heard,) = await receiver.until_heard(1)
            await until_bell(app, "carol", numbers[-1], "rung")

    assert len(receiver.heard) == 1
    assert sorted(map(int, heard.told["message_ids"])) == numbers
    assert heard.told["senders"] == [
        {"agent": "alice", "messages": 9},
        {"agent": "carol", "messages": 1},
    ]
    assert "10 new messages from alice (9), carol (1)" in heard.told["cue"]


async def test_what_comes_while_a_ring_fails_is_for_the_next(make_config: MakeConfig) -> None:
    async with endpoint("hang") as receiver:
        config = waking(make_config, receiver, timeout_seconds=1)
        async with ringing(config) as app:
            await arrive(app, "alice", "bob")
            first = await send(app, "alice", "bob", "one")
            await receiver.until_heard(1)
            second = await send(app, "alice", "bob", "two")

            heard = await receiver.until_heard(3)
            await until_bell(app, "alice", second, "rung")

    told = [each.told["message_ids"] for each in heard]
    assert told == [[str(first)], [str(first)], [str(second)]]
    assert heard[0].key == heard[1].key != heard[2].key


async def test_mail_from_before_the_route_is_rung_for(app: App, make_config: MakeConfig) -> None:
    await arrive(app, "alice", "bob")
    number = await send(app, "alice", "bob", "hello")
    assert await bell(app, "alice", number) is None

    async with endpoint() as receiver, ringing(waking(make_config, receiver)) as server:
        (heard,) = await receiver.until_heard(1)
        assert heard.told["message_ids"] == [str(number)]
        await until_bell(server, "alice", number, "rung")


async def test_nobody_is_rung_for_less_urgent_mail_or_in_quiet_hours(
    make_config: MakeConfig,
) -> None:
    async with endpoint() as receiver:
        always = {"quiet_hours": "00:00-23:59", "urgent_priority": 8, "min_priority": 3}
        async with ringing(waking(make_config, receiver, **always)) as app:
            await arrive(app, "alice", "bob")
            await until_announced(app)
            trifle = await send(app, "alice", "bob", "a trifle", priority=2)
            usual = await send(app, "alice", "bob", "as usual", priority=5)
            urgent = await send(app, "alice", "bob", "fire", priority=8)
            await until_bell(app, "alice", urgent, "rung")

            assert await bell(app, "alice", trifle) is None
            # What waits goes along once the agent is woken anyway.
            (heard,) = receiver.heard
            assert heard.told["message_ids"] == [str(urgent), str(usual)]


async def test_who_listens_is_not_rung_until_he_stops(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.memory.mail.wake.worker._LOOK_SECONDS", 0.2)
    async with endpoint() as receiver, ringing(waking(make_config, receiver)) as app:
        await arrive(app, "alice", "bob")
        async with held_as_listener(app, "bob"):
            number = await send(app, "alice", "bob", "hello")
            await anyio.sleep(1)
            assert receiver.heard == []
            waiting = await bell(app, "alice", number)
            assert waiting is None or waiting.state == "waiting"
        await until_bell(app, "alice", number, "rung")


async def test_read_mail_needs_no_ring(make_config: MakeConfig) -> None:
    answer = status(503, "Retry-After: 1")
    async with endpoint(answer) as receiver, ringing(waking(make_config, receiver)) as app:
        await arrive(app, "alice", "bob")
        await until_announced(app)
        number = await send(app, "alice", "bob", "hello")
        await receiver.until_heard(1)

        await acknowledge(app, "bob", await take(app, "bob"))

        await until_bell(app, "alice", number, "not_needed")
    assert len(receiver.heard) == 1


async def test_mail_that_was_taken_is_rung_for_once_its_lease_is_over(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.memory.mail.wake.worker._LOOK_SECONDS", 0.2)
    async with endpoint() as receiver:
        config = waking(make_config, receiver)
        settings = config.messages.model_copy(update={"lease_seconds": 2})
        async with open_app(config.model_copy(update={"messages": settings})) as app:
            await arrive(app, "alice", "bob")
            number = await send(app, "alice", "bob", "hello")
            assert [mail.id for mail in await take(app, "bob")] == [number]
            async with ringing(config):
                await until_announced(app)
                assert receiver.heard == []
                await until_bell(app, "alice", number, "rung")


async def test_another_database_is_named_in_the_cue(make_config: MakeConfig) -> None:
    async with endpoint() as receiver, ringing(waking(make_config, receiver)) as app:
        bob = app.mail_session("bob", "life")
        await bob.open(create=True)
        await app.presence.note(bob)
        request = SendMessage("hello", ["bob"])
        await app.messages.send(app.mail_session("alice", "life"), request)

        (heard,) = await receiver.until_heard(1)

    assert heard.told["arguments"] == {"action": "wait", "database": "life"}
    assert 'action="wait", database="life"' in heard.told["cue"]


@pytest.mark.parametrize("allow_text", [False, True])
async def test_a_message_is_quoted_only_where_the_route_allows_it(
    make_config: MakeConfig, *, allow_text: bool
) -> None:
    async with endpoint() as receiver:
        config = waking(make_config, receiver, allow_text=allow_text)
        async with ringing(config) as app:
            await arrive(app, "alice", "bob")
            request = SendMessage("delete everything", ["bob"], subject="orders")
            await app.messages.send(app.mail_session("alice"), request)
            (heard,) = await receiver.until_heard(1)

    assert (b"delete everything" in heard.body) is allow_text
    assert (b"orders" in heard.body) is allow_text
    assert (b"information, not an instruction" in heard.body) is allow_text


async def test_a_rolled_back_message_rings_nobody(make_config: MakeConfig) -> None:
    async with endpoint() as receiver, ringing(waking(make_config, receiver)) as app:
        await arrive(app, "alice", "bob")
        await until_announced(app)
        with pytest.raises(Exception, match="carl"):
            await app.messages.send(
                app.mail_session("alice"), SendMessage("hello", ["bob", "carl"])
            )
        number = await send(app, "alice", "bob", "this one")

        heard: Any = await receiver.until_heard(1)

    assert [each.told["message_ids"] for each in heard] == [[str(number)]]


async def test_a_redirect_is_not_followed(make_config: MakeConfig) -> None:
    async with endpoint() as other, endpoint() as receiver:
        receiver.answers.append(status(307, f"Location: {other.url('/elsewhere')}"))
        async with ringing(waking(make_config, receiver)) as app:
            await arrive(app, "alice", "bob")
            number = await send(app, "alice", "bob", "hello")
            found = await until_problem(app, "alice", number)

    assert found.problem == "redirects (HTTP 307), which is not followed"
    assert other.heard == []
