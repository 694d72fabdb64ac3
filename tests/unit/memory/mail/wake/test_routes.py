"""Routes that are corrected, removed and added again: what is unread is rung for all the same."""

from functools import partial
from uuid import uuid4

import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.mail.wake import store
from mcp_memory.memory.mail.wake.registry import RouteRegistry
from tests.fixtures.mail import arrive, send, take
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.wake import (
    QUICK,
    bell,
    ringing,
    until_announced,
    until_bell,
    until_problem,
)
from tests.fixtures.wake_endpoint import Endpoint, endpoint, status

IN_AN_HOUR = status(429, "Retry-After: 3600")


def allowing(make_config: MakeConfig, **wake: object) -> Config:
    """A configuration without routes, by which this machine may be rung."""
    return make_config(
        wake={**QUICK, "allowed_targets": ["127.0.0.1"], **wake},
        embeddings={"provider": "hashing"},
    )


async def add(app: App, receiver: Endpoint, path: str = "/", **more: object) -> None:
    await app.wake.add(
        app.mail_session(app.config.agent),
        "bob",
        {"kind": "webhook", "url": receiver.url(path), **more},
    )


async def send_in_vain(app: App) -> int:
    """The id of a message to bob whose first ring has failed."""
    await arrive(app, "alice", "bob")
    number = await send(app, "alice", "bob", "hello")
    await until_problem(app, "alice", number)
    return number


async def test_a_corrected_route_is_rung_at_once(make_config: MakeConfig) -> None:
    async with endpoint(IN_AN_HOUR) as receiver, ringing(allowing(make_config)) as app:
        await add(app, receiver, "/wrong")
        number = await send_in_vain(app)

        await add(app, receiver, "/right")

        rung = await until_bell(app, "alice", number, "rung")
        assert [heard.path for heard in receiver.heard] == ["/wrong", "/right"]
        assert rung.attempts == 2


async def test_a_route_that_was_read_before_it_was_replaced_rings_nobody(
    make_config: MakeConfig,
) -> None:
    config = allowing(make_config)
    registry = RouteRegistry(config)
    async with endpoint() as receiver, open_app(config) as app:
        await arrive(app, "alice", "bob")
        await add(app, receiver, "/wrong")
        await send(app, "alice", "bob", "hello")
        database = await app.databases.writing(None, "alice")
        former = await registry.usable_routes(database)
        await add(app, receiver, "/right")
        present = await registry.usable_routes(database)

        claim = partial(store.claim, lease=uuid4(), spare_seconds=5, gather_seconds=0)
        async with database.maintaining() as conn:
            assert await claim(conn, former) is None
            assert await claim(conn, present) == ("bob", 0)


async def test_a_route_that_is_added_again_as_it_was_waits_as_it_was_asked_to(
    make_config: MakeConfig,
) -> None:
    async with endpoint(IN_AN_HOUR) as receiver, ringing(allowing(make_config)) as app:
        await add(app, receiver)
        await send_in_vain(app)
        await add(app, receiver, allow_text=True)
        (listed,) = await app.wake.list(app.mail_session(app.config.agent))
    assert listed.outbox is not None
    assert (listed.outbox.failures, listed.outbox.problem) == (1, "HTTP 429")


async def test_a_test_ring_that_works_ends_the_wait(make_config: MakeConfig) -> None:
    async with endpoint(IN_AN_HOUR) as receiver, ringing(allowing(make_config)) as app:
        await add(app, receiver)
        number = await send_in_vain(app)

        assert (await app.wake.test(app.mail_session(app.config.agent), "bob")).is_delivered

        await until_bell(app, "alice", number, "rung")
        assert [heard.told["event"] for heard in receiver.heard] == ["mail", "test", "mail"]


async def test_a_route_that_was_removed_and_added_rings_for_what_is_unread(
    make_config: MakeConfig,
) -> None:
    async with endpoint(IN_AN_HOUR) as receiver, ringing(allowing(make_config)) as app:
        await add(app, receiver)
        number = await send_in_vain(app)
        await app.wake.remove(app.mail_session(app.config.agent), "bob")
        gone = await bell(app, "alice", number)
        assert gone is not None
        assert gone.state == "not_needed"

        await add(app, receiver)

        await until_bell(app, "alice", number, "rung")


@pytest.mark.parametrize("by", ["another route", "a test"])
async def test_what_was_given_up_is_rung_for_when_the_door_opens(
    make_config: MakeConfig, by: str
) -> None:
    impatient = allowing(make_config, give_up_hours=1.0 / 3600)
    async with endpoint(*[status(500)] * 3) as receiver, ringing(impatient) as app:
        await add(app, receiver, timeout_seconds=5)
        await arrive(app, "alice", "bob")
        read = await send(app, "alice", "bob", "hello")
        number = await send(app, "alice", "bob", "hello again")
        receiver.answers[:] = [status(500)] * 1000
        await until_bell(app, "alice", number, "given_up")
        await take(app, "bob", limit=1)
        await app.messages.acknowledge(app.mail_session("bob"), [str(read)])
        receiver.answers.clear()
        if by == "a test":
            assert (await app.wake.test(app.mail_session(app.config.agent), "bob")).is_delivered
        else:
            await add(app, receiver, "/other")

        await until_bell(app, "alice", number, "rung")
        (listed,) = await app.wake.list(app.mail_session(app.config.agent))
        assert receiver.heard[-1].told["message_ids"] == [str(number)]
        assert listed.outbox is not None
        assert listed.outbox.given_up == 0


async def test_who_was_woken_and_let_his_mail_lie_is_woken_again(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_memory.memory.mail.wake.worker._LOOK_SECONDS", 0.2)
    settings = allowing(make_config).model_copy()
    held = settings.messages.model_copy(update={"lease_seconds": 1})
    async with (
        endpoint() as receiver,
        ringing(settings.model_copy(update={"messages": held})) as app,
    ):
        await add(app, receiver)
        await arrive(app, "alice", "bob")
        number = await send(app, "alice", "bob", "hello")
        await receiver.until_heard(1)
        await until_bell(app, "alice", number, "rung")

        assert [mail.id for mail in await take(app, "bob")] == [number]

        first, again = await receiver.until_heard(2)
        await until_bell(app, "alice", number, "rung")
        (mail,) = await take(app, "bob")
        await app.messages.acknowledge(app.mail_session("bob"), [str(mail.id)])
    assert first.key != again.key
    assert first.told["message_ids"] == again.told["message_ids"]
    assert len(receiver.heard) == 2


async def test_what_waits_is_held_to_a_higher_priority_too(make_config: MakeConfig) -> None:
    async with endpoint(IN_AN_HOUR) as receiver, ringing(allowing(make_config)) as app:
        await add(app, receiver)
        await arrive(app, "alice", "bob")
        trifle = await send(app, "alice", "bob", "a trifle", priority=3)
        await until_problem(app, "alice", trifle)

        await add(app, receiver, "/other", min_priority=8)
        await until_bell(app, "alice", trifle, "not_needed")
        urgent = await send(app, "alice", "bob", "fire", priority=9)

        await until_bell(app, "alice", urgent, "rung")
        await add(app, receiver, "/other", min_priority=2)
        await until_bell(app, "alice", trifle, "rung")
    assert [heard.told["message_ids"] for heard in receiver.heard[1:]] == [
        [str(urgent)],
        [str(trifle)],
    ]


async def test_what_is_urgent_does_not_wait_behind_what_is_quiet(make_config: MakeConfig) -> None:
    """Sooner than a look without a hint would find it, which comes after 15 seconds."""
    settings = allowing(make_config, gather_seconds=0.5)
    async with endpoint() as receiver, ringing(settings) as app:
        await add(app, receiver, quiet_hours="00:00-23:59", urgent_priority=7)
        await arrive(app, "alice", "bob")
        await until_announced(app)
        await send(app, "alice", "bob", "as usual", priority=3)
        urgent = await send(app, "alice", "bob", "fire", priority=7)
        await until_bell(app, "alice", urgent, "rung", seconds=8)
