"""Reconnecting to a server that may be down, once for all who wait for it."""

from collections.abc import Awaitable, Callable

import anyio

from mcp_memory.errors import DatabaseError


class SharedReconnect:
    """Runs `reconnect` for whoever asks; who asks before it has ended shares what came of it.

    So a server that is back, or a blackhole that takes ten seconds to be known as one, is tried by
    one of a hundred callers, and none waits for a hundred attempts.
    """

    def __init__(self, reconnect: Callable[[], Awaitable[None]]) -> None:
        self._reconnect = reconnect
        self._lock = anyio.Lock()
        self._rounds = 0
        self._problem: DatabaseError | None = None

    async def __call__(self) -> None:
        """Return when the server is there; raise the `DatabaseError` that says why it is not."""
        asked_in = self._rounds
        async with self._lock:
            if self._rounds == asked_in:
                self._problem = await self._tried()
                self._rounds += 1
            problem = self._problem
        if problem is not None:
            raise problem.with_traceback(None)

    async def _tried(self) -> DatabaseError | None:
        try:
            await self._reconnect()
        except DatabaseError as exc:
            return exc
        return None
