"""Endpoints that speak TLS: a private authority, and certificates that are not accepted."""

import logging
from pathlib import Path

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream

from mcp_memory.config import WakeRoute
from mcp_memory.memory.mail.wake.client import RouteClient
from mcp_memory.memory.mail.wake.cue import Cue
from mcp_memory.memory.mail.wake.model import Outcome
from mcp_memory.memory.mail.wake.targets import Targets
from tests.fixtures.certificates import Authority, authority
from tests.fixtures.mail import arrive, send
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.wake import QUICK, ringing, until_bell, until_problem
from tests.fixtures.wake_endpoint import Endpoint, endpoint, status

SECRET = "a-token-nobody-sees"
UNKNOWN = "its certificate is not signed by an authority that is trusted here (SSL_CERT_FILE)"
EXPIRED, NOT_YET = "its certificate has expired", "its certificate is not valid yet"
OTHER_NAME = "its certificate is for another host name"


def at(receiver: Endpoint, host: str) -> dict[str, object]:
    return {"kind": "openclaw-wake", "url": f"https://{host}:{receiver.port}/", "token": SECRET}


async def ring(document: dict[str, object]) -> Outcome:
    route, client = WakeRoute.model_validate(document), RouteClient()
    try:
        return await client.wake(route, Targets.of_own(route), Cue("bob", []), key="k", attempt=1)
    finally:
        await client.aclose()


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    """An authority that the environment's owner trusts."""
    made = authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(made.file))
    return made


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
async def test_a_private_authority_is_trusted_by_ssl_cert_file(
    trusted: Authority, host: str
) -> None:
    async with endpoint(shows=trusted.server(host)) as receiver:
        assert await ring(at(receiver, host)) == Outcome()

    (heard,) = receiver.heard
    assert heard.headers["authorization"] == f"Bearer {SECRET}"
    assert heard.headers["host"] == f"{host}:{receiver.port}"


@pytest.mark.parametrize(
    ("host", "names", "age_days", "problem"),
    [
        ("localhost", ["localhost"], 100, EXPIRED),
        ("localhost", ["localhost"], -5, NOT_YET),
        ("localhost", ["hooks.example.com"], 0, OTHER_NAME),
        # The name is what counts, though the address is what is connected to.
        ("localhost", ["127.0.0.1"], 0, OTHER_NAME),
        ("127.0.0.1", ["localhost"], 0, OTHER_NAME),
    ],
)
async def test_a_certificate_that_does_not_hold_is_told_and_the_token_is_not(
    trusted: Authority, host: str, names: list[str], age_days: int, problem: str
) -> None:
    async with endpoint(shows=trusted.server(*names, age_days=age_days)) as receiver:
        assert await ring(at(receiver, host)) == Outcome(problem, is_refusal=True)

    assert receiver.heard == []


async def test_an_unknown_authority_is_not_believed(tmp_path: Path) -> None:
    stranger = authority(tmp_path)
    async with endpoint(shows=stranger.server("localhost")) as receiver:
        assert await ring(at(receiver, "localhost")) == Outcome(UNKNOWN, is_refusal=True)

    assert receiver.heard == []


async def test_who_does_not_speak_tls_is_told_apart() -> None:
    async def refuse(stream: SocketStream) -> None:
        async with stream:
            await stream.send(status(400).encode())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, refuse)
        plain = Endpoint(int(listener.extra(SocketAttribute.local_port)))
        assert await ring(at(plain, "127.0.0.1")) == Outcome(
            "no encrypted connection could be made"
        )
        tasks.cancel_scope.cancel()


async def test_authorities_that_cannot_be_read_are_a_visible_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "gone.pem"))
    async with endpoint() as receiver:
        attempt = await ring(at(receiver, "127.0.0.1"))

    assert attempt == Outcome("SSL_CERT_FILE or SSL_CERT_DIR cannot be read", is_refusal=True)


async def test_mail_waits_for_a_certificate_that_is_renewed(
    make_config: MakeConfig, trusted: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    shows = trusted.server("localhost", age_days=100)
    async with endpoint(shows=shows) as receiver:
        config = make_config(wake=QUICK, wake_routes={"bob": at(receiver, "localhost")})
        with caplog.at_level(logging.DEBUG, "mcp_memory"):
            async with ringing(config) as app:
                await arrive(app, "alice", "bob")
                number = await send(app, "alice", "bob", "hello")
                failed = await until_problem(app, "alice", number)
                trusted.renew(shows, "localhost")
                rung = await until_bell(app, "alice", number, "rung")

    assert (failed.state, failed.problem) == ("trying", EXPIRED)
    assert rung.attempts >= 2
    assert len(receiver.heard) == 1
    assert EXPIRED in caplog.text
    assert SECRET not in caplog.text
