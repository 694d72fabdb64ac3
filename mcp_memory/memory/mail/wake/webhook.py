"""One POST to an endpoint: to a checked address, no redirects, no proxy, a bounded answer."""

import hashlib
import hmac
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from socket import gaierror

import httpx2
from anyio import to_thread

from mcp_memory.backoff import may_pass, retry_after_seconds
from mcp_memory.errors import TargetRefused
from mcp_memory.memory.mail.wake.model import Outcome
from mcp_memory.memory.mail.wake.targets import Destination, Targets

_ANSWER_BYTES = 65_536
_REQUEST_TIMEOUT = 408
_CONNECT_SECONDS = 5.0
_UNKNOWN_AUTHORITY = "is not signed by an authority that is trusted here (SSL_CERT_FILE)"
_OTHER_NAME = "is for another host name"
# By OpenSSL's X509_V_ERR numbers.
_CERTIFICATE_PROBLEMS = {
    9: "is not valid yet",
    10: "has expired",
    18: _UNKNOWN_AUTHORITY,
    19: _UNKNOWN_AUTHORITY,
    20: _UNKNOWN_AUTHORITY,
    21: _UNKNOWN_AUTHORITY,
    62: _OTHER_NAME,
    64: _OTHER_NAME,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered: its status, and when it wants to be asked again."""

    status: int
    retry_after: str | None = None


class Poster:
    """Posts; connections are not kept, for the next attempt may be resolved to another address."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def aclose(self) -> None:
        """Give up the client."""
        if self._client is not None:
            await self._client.aclose()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], targets: Targets
    ) -> Answer | Outcome:
        """The endpoint's answer, read to its end; a failed attempt when there was none."""
        try:
            destination = await targets.destination(url)
            client = await self._open()
        except TargetRefused as exc:
            # A name that leads nowhere now may lead somewhere soon.
            is_lasting = not isinstance(exc.__cause__, gaierror)
            return Outcome(f"the target is refused: {exc.reason}", is_refusal=is_lasting)
        except OSError:
            return Outcome("SSL_CERT_FILE or SSL_CERT_DIR cannot be read", is_refusal=True)
        try:
            return await _ask(client, destination, body, headers)
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            return Outcome(f"the connection broke off ({type(exc).__name__})")

    async def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            # Reading the certificates takes long enough to be noticed by others.
            self._client = await to_thread.run_sync(_client)
        return self._client


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        # Of the environment, the authorities that its owner trusts are kept to; proxies are not.
        verify=httpx2.create_ssl_context(trust_env=True),
        trust_env=False,
        follow_redirects=False,
        # One endpoint's cookies are not for the next one at its address.
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


async def _ask(
    client: httpx2.AsyncClient, destination: Destination, body: bytes, headers: Mapping[str, str]
) -> Answer | Outcome:
    """The answer of the first address that can be connected to."""
    for number, address in enumerate(destination.addresses, start=1):
        is_last = number == len(destination.addresses)
        request = client.build_request(
            "POST",
            destination.url_at(address),
            content=body,
            headers={
                "Host": destination.host_header,
                "Content-Type": "application/json",
                **headers,
            },
            extensions={"sni_hostname": destination.host},
            # Whole attempts are limited by whoever tries; a dead address leaves time for the next.
            timeout=httpx2.Timeout(None, connect=None if is_last else _CONNECT_SECONDS),
        )
        try:
            return await _answer(client, request)
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
            if (outcome := _encryption_problem(exc)) is not None:
                return outcome
    return Outcome("could not connect")


def _encryption_problem(exc: BaseException) -> Outcome | None:
    """What was wrong with the encryption, if it was that; OpenSSL's own words name the host."""
    cause: BaseException | None = exc
    while cause is not None and not isinstance(cause, ssl.SSLError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    if not isinstance(cause, ssl.SSLCertVerificationError):
        return Outcome("no encrypted connection could be made")
    code = cause.verify_code
    why = _CERTIFICATE_PROBLEMS.get(code, f"is not accepted (X.509 error {code})")
    return Outcome(f"its certificate {why}", is_refusal=True)


async def _answer(client: httpx2.AsyncClient, request: httpx2.Request) -> Answer:
    response = await client.send(request, stream=True)
    try:
        # An answer that breaks off is none: the endpoint may have failed half-way.
        read = 0
        async for part in response.aiter_raw():
            read += len(part)
            if read > _ANSWER_BYTES:
                break
    finally:
        await response.aclose()
    return Answer(response.status_code, response.headers.get("retry-after"))


def outcome_of(answer: Answer) -> Outcome:
    """What an answer means for the attempt."""
    status = answer.status
    if 200 <= status < 300:
        return Outcome()
    if 300 <= status < 400:
        return Outcome(f"redirects (HTTP {status}), which is not followed", is_refusal=True)
    passes = may_pass(status) or status == _REQUEST_TIMEOUT
    seconds = retry_after_seconds(answer.retry_after, datetime.now(UTC))
    return Outcome(f"HTTP {status}", is_refusal=not passes, retry_after_seconds=seconds)


TIMESTAMP_HEADER = "X-MCP-Memory-Timestamp"
SIGNATURE_HEADER = "X-MCP-Memory-Signature"
# What is older may be a replay. Within it the idempotency key tells.
WINDOW_SECONDS = 300


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """`v1=` and the hexadecimal HMAC of `<timestamp>.<body>`; the time in seconds since 1970."""
    signed = str(timestamp).encode() + b"." + body
    return f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}"


def is_genuine(secret: str, headers: Mapping[str, str], body: bytes, now: float) -> bool:
    """Whether a request was signed with the secret, for this body, within the window.

    Names of headers are compared without case.
    """
    lowered = {name.lower(): value for name, value in headers.items()}
    timestamp = lowered.get(TIMESTAMP_HEADER.lower(), "")
    proof = lowered.get(SIGNATURE_HEADER.lower(), "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    is_fresh = abs(now - int(timestamp)) <= WINDOW_SECONDS
    expected = signature(secret, int(timestamp), body)
    return hmac.compare_digest(expected.encode(), proof.encode()) and is_fresh
