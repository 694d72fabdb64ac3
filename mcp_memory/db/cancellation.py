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


async def shielded(work: Callable[[], Awaitable[Result]]) -> Result:
    """What `work` returns, out of reach of any cancellation until it is done."""
    results: list[Result] = []
    with anyio.CancelScope(shield=True):
        results.append(await work())
    return results[0]
