"""Running database work so that cancelling the caller also ends its query on the server.

anyio delivers a cancellation again at every await, also at psycopg's own "cancel this query",
which then closes the connection and leaves the query running. So the work has a task of its own,
out of reach of the caller's scope.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import anyio
import psycopg
from psycopg.rows import TupleRow

Connection = psycopg.AsyncConnection[TupleRow]
Result = TypeVar("Result")

_CANCEL_SECONDS = 2.0


async def run_cancellable(conn: Connection, work: Callable[[], Awaitable[Result]]) -> Result:
    """What `work` returns; a cancelled caller leaves once the server has ended its query."""
    task = asyncio.ensure_future(work())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        with anyio.CancelScope(shield=True):
            await _end(conn, task)
        raise


async def _end(conn: Connection, task: "asyncio.Future[Result]") -> None:
    """Cancel the query on the server, then the task, and wait until it has rolled back."""
    with suppress(psycopg.Error):
        await conn.cancel_safe(timeout=_CANCEL_SECONDS)
    done, _ = await asyncio.wait([task], timeout=_CANCEL_SECONDS)
    if not done:
        task.cancel()
        await asyncio.wait([task], timeout=_CANCEL_SECONDS)
    if task.done() and not task.cancelled():
        task.exception()


async def claimed(
    claim: Callable[[], Awaitable[Result]], give_back: Callable[[Result], Awaitable[None]]
) -> Result:
    """What `claim` gives; a cancelled caller leaves at once, and what came too late goes back."""
    task = asyncio.ensure_future(claim())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                await give_back(task.result())
        raise
