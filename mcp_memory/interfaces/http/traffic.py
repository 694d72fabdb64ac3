"""What is going on now: calls that shall finish, and streams that would never end by themselves.

The numbers that others may read of it are kept with it.
"""

import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio
from prometheus_client import CollectorRegistry, Gauge, Histogram, Info, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mcp_memory import __version__
from mcp_memory.errors import McpMemoryError

METRICS_PATH = "/metrics"
# From an answer out of the cache to a wait for mail, in seconds.
_BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300)


class Metrics:
    """The numbers of one process; no label of them names an agent, a database or a text."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._calls = Histogram(
            "mcp_memory_call_seconds",
            "Time of the calls of each tool: ok, refused (the caller's mistake), or failed.",
            ["tool", "outcome"],
            registry=self._registry,
            buckets=_BUCKETS,
        )
        build = Info("mcp_memory_build", "The version that runs.", registry=self._registry)
        build.info({"version": __version__})

    @contextmanager
    def call(self, tool: str) -> Generator[None]:
        """Count a call of the tool by how it ends; one that is cancelled is not counted."""
        began = time.perf_counter()
        outcome = "ok"
        try:
            yield
        except McpMemoryError:
            outcome = "refused"
            raise
        except Exception:
            outcome = "failed"
            raise
        except BaseException:
            outcome = ""
            raise
        finally:
            if outcome:
                self._calls.labels(tool, outcome).observe(time.perf_counter() - began)

    def show(self, name: str, what: str, look: Callable[[], float]) -> None:
        """Show a number that is looked at whenever somebody asks."""
        Gauge(name, what, registry=self._registry).set_function(look)

    def route(self) -> Route:
        """`GET /metrics`, in the text format of Prometheus."""

        async def metrics(_: Request) -> Response:
            return Response(
                generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4}
            )

        return Route(METRICS_PATH, metrics)


_LOOK_SECONDS = 1.0

Usable = Callable[[list[str]], Awaitable[set[str]]]


class Traffic:
    """The calls and the open streams of one process."""

    def __init__(self) -> None:
        self.is_closing = False
        self._calls = 0
        self._quiet = anyio.Event()
        self._streams: dict[anyio.CancelScope, str] = {}
        self.metrics = Metrics()
        self.metrics.show(
            "mcp_memory_requests", "Requests that are being answered.", lambda: self._calls
        )
        self.metrics.show("mcp_memory_streams", "Open streams.", lambda: len(self._streams))

    @contextmanager
    def call(self) -> Generator[None]:
        """Something that is being answered."""
        self._calls += 1
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._quiet.set()
                self._quiet = anyio.Event()

    @contextmanager
    def stream(self, key_id: str) -> Generator[None]:
        """An open stream of this key's holder; it ends when the key does."""
        with anyio.CancelScope() as scope:
            self._streams[scope] = key_id
            try:
                yield
            finally:
                del self._streams[scope]

    async def drain(self, seconds: float) -> int:
        """Take nothing new, and wait so long for the calls; how many are left over."""
        self.is_closing = True
        with anyio.move_on_after(seconds):
            while self._calls:
                await self._quiet.wait()
        return self._calls

    def end_streams(self) -> None:
        """End every open stream."""
        for scope in self._streams:
            scope.cancel()

    async def end_streams_of_ended_keys(self, usable: Usable) -> None:
        """Watch for ever: a revoked key must not go on listening. One look a second, if any."""
        while True:
            await anyio.sleep(_LOOK_SECONDS)
            if ids := sorted({key_id for key_id in self._streams.values() if key_id}):
                alive = await usable(ids)
                self._end_streams(set(ids) - alive)

    def _end_streams(self, key_ids: set[str]) -> None:
        for scope, key_id in self._streams.items():
            if key_id in key_ids:
                scope.cancel()


class RateLimit:
    """Up to `per_minute` requests at once, and as many each minute; 0 is no limit.

    It holds one bucket for each key that proved itself in this process.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._capacity, self._clock = float(per_minute), clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, key_id: str) -> float:
        """0 when the request may go on, which counts it; else how long until one may."""
        if not self._capacity:
            return 0.0
        now = self._clock()
        left, seen_at = self._buckets.get(key_id, (self._capacity, now))
        left = min(self._capacity, left + (now - seen_at) * self._capacity / 60)
        granted = left >= 1
        self._buckets[key_id] = (left - 1 if granted else left, now)
        return 0.0 if granted else (1 - left) * 60 / self._capacity
