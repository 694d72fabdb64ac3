"""What each kind of route is sent, and a route tried without ringing."""

import time

import anyio
import pytest

from mcp_memory.config import WakeRoute
from mcp_memory.memory.mail.wake import targets
from mcp_memory.memory.mail.wake.client import RouteClient
from mcp_memory.memory.mail.wake.cue import Cue, facts, sentence
from mcp_memory.memory.mail.wake.model import Outcome, QueuedMessage
from mcp_memory.memory.mail.wake.targets import Targets
from mcp_memory.memory.mail.wake.webhook import is_genuine
from tests.fixtures.wake_endpoint import endpoint, status

CUE = Cue("bob", [QueuedMessage(4, "alice", 5, "subject", "text")])


def route(kind: str, url: str, **more: object) -> WakeRoute:
    return WakeRoute.model_validate({"kind": kind, "url": url, "token": "s3cret", **more})


async def ring(chosen: WakeRoute) -> Outcome:
    client = RouteClient()
    try:
        return await client.wake(chosen, Targets.of_own(chosen), CUE, key="the-key", attempt=2)
    finally:
        await client.aclose()


async def try_dry(chosen: WakeRoute) -> Outcome:
    client = RouteClient()
    try:
        return await client.try_dry(chosen, Targets.of_own(chosen), "bob")
    finally:
        await client.aclose()


@pytest.mark.parametrize("path", ["/hooks/wake", "", "/"])
async def test_openclaw_wake_is_told_the_cue(path: str) -> None:
    async with endpoint() as receiver:
        url = receiver.url(path)
        assert await ring(route("openclaw-wake", url, agent_id="main")) == Outcome()
        (heard,) = receiver.heard

    assert heard.path == "/hooks/wake"
    assert heard.headers["authorization"] == "Bearer s3cret"
    assert heard.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert heard.told == {"text": sentence(CUE), "mode": "now", "agentId": "main"}


async def test_openclaw_agent_gets_a_turn_and_the_key() -> None:
    async with endpoint() as receiver:
        chosen = route("openclaw-agent", receiver.url("/hooks/agent"), session_key="hook:mail")
        assert await ring(chosen) == Outcome()
        (heard,) = receiver.heard

    assert heard.key == "the-key"
    assert heard.told == {
        "message": sentence(CUE),
        "name": "mcp-memory",
        "deliver": False,
        "idempotencyKey": "the-key",
        "sessionKey": "hook:mail",
    }


async def test_a_webhook_is_signed_and_the_secret_not_sent() -> None:
    async with endpoint() as receiver:
        await ring(route("webhook", receiver.url()))
        await ring(route("webhook", receiver.url(), token=None))
        signed, unsigned = receiver.heard

    assert is_genuine("s3cret", signed.headers, signed.body, time.time())
    assert b"s3cret" not in signed.body + str(signed.headers).encode()
    assert "x-mcp-memory-signature" not in unsigned.headers


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (status(204), Outcome()),
        (status(302, "Location: http://169.254.169.254/"), None),
        (status(401), Outcome("HTTP 401", is_refusal=True)),
        (status(408), Outcome("HTTP 408")),
        (status(429, "Retry-After: 7"), Outcome("HTTP 429", retry_after_seconds=7)),
        (status(500), Outcome("HTTP 500")),
        ("close", Outcome("the connection broke off (RemoteProtocolError)")),
        ("hang", Outcome("no answer within 3 s")),
    ],
)
async def test_how_an_answer_counts(answer: str, expected: Outcome | None) -> None:
    async with endpoint(answer) as receiver:
        attempt = await ring(route("webhook", receiver.url(), timeout_seconds=3))

    refused = Outcome("redirects (HTTP 302), which is not followed", is_refusal=True)
    assert attempt == (expected or refused)


async def test_nobody_there_is_a_failure_that_may_pass() -> None:
    async with endpoint() as receiver:
        pass
    assert await ring(route("webhook", receiver.url())) == Outcome("could not connect")


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with endpoint() as receiver:
        assert await ring(route("webhook", receiver.url())) == Outcome()


async def test_one_endpoints_cookies_are_not_for_the_next_at_its_address() -> None:
    client = RouteClient()
    async with (
        endpoint(status(200, "Set-Cookie: session=of-the-first")) as receiver,
        endpoint() as other,
    ):
        for each in (receiver, receiver, other):
            chosen = route("webhook", each.url())
            await client.wake(chosen, Targets.of_own(chosen), CUE, key="k", attempt=1)
        await client.aclose()

    assert [heard.headers.get("cookie") for heard in [*receiver.heard, *other.heard]] == [None] * 3


async def test_every_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    async with endpoint() as receiver:

        async def resolve(host: str, port: int, *, type: int) -> list[object]:
            del host, type
            return [(None, None, None, "", (each, port)) for each in ("127.0.0.2", "127.0.0.1")]

        monkeypatch.setattr(targets.anyio, "getaddrinfo", resolve)
        assert await ring(route("webhook", f"http://localhost:{receiver.port}/")) == Outcome()

    assert [heard.headers["host"] for heard in receiver.heard] == [f"localhost:{receiver.port}"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("flood", Outcome()),
        ("drip", Outcome("no answer within 1 s")),
        ("drip head", Outcome("no answer within 1 s")),
        ("long head", Outcome("the connection broke off (RemoteProtocolError)")),
    ],
)
async def test_an_answer_without_end_is_not_read_to_its_end(answer: str, expected: Outcome) -> None:
    async with endpoint(answer) as receiver:
        with anyio.fail_after(20):
            assert await ring(route("webhook", receiver.url(), timeout_seconds=1)) == expected
            ended = await receiver.until_ended(1)

    assert ended[0] < 50_000_000


async def test_a_door_is_tried_without_waking_anybody() -> None:
    async with endpoint(status(400), status(401), status(200)) as receiver:
        openclaw = route("openclaw-wake", receiver.url())
        assert await try_dry(openclaw) == Outcome()
        assert await try_dry(openclaw) == Outcome("HTTP 401", is_refusal=True)
        assert await try_dry(route("webhook", receiver.url())) == Outcome()

    *asked, pinged = receiver.heard
    assert [heard.told for heard in asked] == [{}, {}]
    assert pinged.told == facts(Cue("bob", [])) | {"id": pinged.key, "event": "ping"}
    assert is_genuine("s3cret", pinged.headers, pinged.body, time.time())


async def test_a_program_is_looked_for_and_not_run() -> None:
    there = WakeRoute.model_validate({"kind": "command", "command": ["false"]})
    gone = WakeRoute.model_validate({"kind": "command", "command": ["/nonexistent"]})

    assert await try_dry(there) == Outcome()
    assert not (await try_dry(gone)).is_delivered
