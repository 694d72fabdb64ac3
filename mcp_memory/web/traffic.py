"""What is going on now: calls that shall finish, and streams that would never end by themselves.

The numbers that others may read of it are kept with it.
"""

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

import anyio

from mcp_memory.web.metrics import Metrics

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
