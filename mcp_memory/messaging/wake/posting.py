"""One POST to an endpoint: to a checked address, no redirects, no proxy, a bounded answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
from anyio import to_thread

from mcp_memory.embeddings.backoff import may_pass, retry_after_seconds
from mcp_memory.errors import TargetRefused
from mcp_memory.messaging.wake.models import Attempt
from mcp_memory.messaging.wake.targets import Targets

_ANSWER_BYTES = 65_536
_REQUEST_TIMEOUT = 408


@dataclass(frozen=True, slots=True)
class Answer:
    """What an endpoint answered: its status, and when it wants to be asked again."""

    status: int
    retry_after: str | None = None


class Poster:
    """Posts; connections are not kept, for the next ring may be resolved to another address."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def aclose(self) -> None:
        """Give up the client."""
        if self._client is not None:
            await self._client.aclose()

    async def post(
        self, url: str, body: bytes, headers: Mapping[str, str], targets: Targets
    ) -> Answer | Attempt:
        """The endpoint's answer, read to its end; a failed attempt when there was none."""
        try:
            place = await targets.destination(url)
            client = await self._opened()
            request = client.build_request(
                "POST",
                place.url,
                content=body,
                headers={"Host": place.host_header, "Content-Type": "application/json", **headers},
                extensions={"sni_hostname": place.host},
            )
            return await _answer(client, request)
        except TargetRefused as exc:
            return Attempt(f"the target is refused: {exc.reason}", is_refusal=True)
        except httpx2.ConnectError:
            return Attempt("could not connect")
        except (httpx2.HTTPError, httpx2.InvalidURL) as exc:
            return Attempt(f"the connection broke off ({type(exc).__name__})")

    async def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            # Reading the certificates takes long enough to be noticed by others.
            self._client = await to_thread.run_sync(_client)
        return self._client


def _client() -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        timeout=None,  # whole attempts are limited by whoever rings
        follow_redirects=False,
        trust_env=False,
        limits=httpx2.Limits(max_keepalive_connections=0),
    )


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


def judged(answer: Answer) -> Attempt:
    """What an answer means for the ring."""
    status = answer.status
    if 200 <= status < 300:
        return Attempt()
    if 300 <= status < 400:
        return Attempt(f"redirects (HTTP {status}), which is not followed", is_refusal=True)
    passes = may_pass(status) or status == _REQUEST_TIMEOUT
    asked = retry_after_seconds(answer.retry_after, datetime.now(UTC))
    return Attempt(f"HTTP {status}", is_refusal=not passes, retry_after_seconds=asked)
