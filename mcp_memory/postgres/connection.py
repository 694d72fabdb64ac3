"""A psycopg connection that survives cancellation, and what a pool needs for the same.

anyio delivers a cancellation again at every await, also at psycopg's own "cancel this query",
which then closes the connection and leaves the query running on the server. Everything that knows
this stands here: whoever runs statements needs no care of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeVar

import anyio
import psycopg
from pgvector import Vector
from psycopg import AsyncConnection, waiting
from psycopg.abc import PQGen
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format, TransactionStatus
from psycopg.rows import TupleRow

Result = TypeVar("Result")

# How long a server gets to take the cancel request, and then to end the query. A pooler or a
# network that swallows the request must not hold up the caller who has left.
_CANCEL_SECONDS = 2.0
# A rollback writes nothing: whatever answers none in this time answers nothing.
_ROLL_BACK_SECONDS = 5.0
_POLL_SECONDS = 0.1


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection whose cancelled calls end their query on the server and leave it usable."""

    async def wait(
        self,
        gen: PQGen[Result],
        interval: float = _POLL_SECONDS,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature is psycopg's
    ) -> Result:
        """What `gen` returns. A cancelled caller leaves once the server has ended the query."""
        try:
            return await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=timeout
            )
        except (asyncio.CancelledError, KeyboardInterrupt):
            with anyio.CancelScope(shield=True):
                await self._end_query(gen, interval)
            raise

    async def roll_back(self) -> None:
        """Undo the open transaction, cancelled or not; a connection that cannot is thrown away."""
        with anyio.move_on_after(_ROLL_BACK_SECONDS, shield=True), suppress(psycopg.Error):
            await self.rollback()

    async def _end_query(self, gen: PQGen[Result], interval: float) -> None:
        """Cancel what runs and read to its end; a server that does not end it loses us."""
        if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
            return
        try:
            await self.cancel_safe(timeout=_CANCEL_SECONDS)
            await waiting.wait_async(
                gen, self.pgconn.socket, interval=interval, timeout=_CANCEL_SECONDS
            )
        except psycopg.errors.QueryCanceled:
            pass
        except (psycopg.Error, OSError):
            self.pgconn.finish()


async def claim(
    take: Callable[[], Awaitable[Result]], give_back: Callable[[Result], Awaitable[None]]
) -> Result:
    """What `take` gives; a cancelled caller leaves at once, and what came too late goes back."""
    task = asyncio.ensure_future(take())
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.cancel()
        with anyio.CancelScope(shield=True):
            await asyncio.wait([task])
            if not task.cancelled() and task.exception() is None:
                await give_back(task.result())
        raise


class _VectorDumper(Dumper):
    """Leaves the type open, so that `%(query)s::vector` needs no look-up of the extension's oid."""

    format = Format.BINARY

    def dump(self, obj: Vector) -> Buffer:
        return obj.to_binary()


def register(conn: AsyncConnection[TupleRow]) -> None:
    """Let this connection take `Vector` parameters."""
    conn.adapters.register_dumper(Vector, _VectorDumper)
