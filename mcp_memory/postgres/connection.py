"""A psycopg connection that survives cancellation, what a pool needs for the same, and its errors.

anyio delivers a cancellation again at every await, also at psycopg's own "cancel this query",
which then closes the connection and leaves the query running on the server. Everything that knows
this stands here: whoever runs statements needs no care of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from typing import TypeVar

import anyio
import psycopg
import psycopg_pool
from pgvector import Vector
from psycopg import AsyncConnection, waiting
from psycopg import errors as pg
from psycopg.abc import PQGen
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format, TransactionStatus
from psycopg.rows import TupleRow

from mcp_memory.errors import DatabaseBusy, DatabaseError, DatabaseUnavailable, InvalidInput

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
                self._problem = await self._try_to_reconnect()
                self._rounds += 1
            problem = self._problem
        if problem is not None:
            raise problem.with_traceback(None)

    async def _try_to_reconnect(self) -> DatabaseError | None:
        try:
            await self._reconnect()
        except DatabaseError as exc:
            return exc
        return None


class _VectorDumper(Dumper):
    """Leaves the type open, so that `%(query)s::vector` needs no look-up of the extension's oid."""

    format = Format.BINARY

    def dump(self, obj: Vector) -> Buffer:
        return obj.to_binary()


def register(conn: AsyncConnection[TupleRow]) -> None:
    """Let this connection take `Vector` parameters."""
    conn.adapters.register_dumper(Vector, _VectorDumper)


_BUSY = (
    pg.ObjectInUse,
    pg.QueryCanceled,
    pg.LockNotAvailable,
    pg.DeadlockDetected,
    pg.SerializationFailure,
    pg.TooManyConnections,
    pg.IdleInTransactionSessionTimeout,
)
_FULL = (pg.DiskFull, pg.OutOfMemory, pg.ConfigurationLimitExceeded)
# Classes of SQLSTATE that speak of the server; any other error is one of the statement's.
_SERVER_CLASSES = ("08", "28", "3D", "53", "57", "58")

# How a failed connection is told: psycopg gives these no SQLSTATE, only the server's words.
_TOLD = {
    "certificate": "the server's certificate was not accepted",
    "password authentication failed": "the login was refused",
    "no password supplied": "the login needs a password",
    "no pg_hba.conf entry": "the server does not admit this login from here",
    "too many clients": "the server has no connections left",
    "too many connections": "the server has no connections left",
    "connection slots are reserved": "the server has no connections left",
    "connection refused": "the server refuses connections",
    "no such file": "the server does not run",
    "does not exist": "the server has no such database or login",
    "is not permitted to log in": "the login was refused",
    "permission denied for database": "the login may not enter the database",
    "the database system is": "the server is shutting down or starting",
    "shutting down": "the server is shutting down or starting",
    "could not translate host name": "the server's name cannot be resolved",
    "failed to resolve host": "the server's name cannot be resolved",
    "timeout": "the server did not answer in time",
    "timed out": "the server did not answer in time",
    "ssl": "an encrypted connection could not be made",
    "connection failed": "a connection could not be made",
}


@contextmanager
def translate_errors(database: str) -> Generator[None]:
    """Raise our errors for what PostgreSQL says inside; programming errors pass through."""
    try:
        yield
    except psycopg_pool.PoolClosed as exc:
        raise DatabaseUnavailable(database, "it is being closed") from exc
    except _BUSY as exc:
        raise DatabaseBusy(database, _reason(exc)) from exc
    except pg.ReadOnlySqlTransaction as exc:
        raise DatabaseUnavailable(database, "the server accepts no writes") from exc
    except _FULL as exc:
        raise DatabaseUnavailable(database, _reason(exc)) from exc
    except (pg.UntranslatableCharacter, pg.CharacterNotInRepertoire) as exc:
        raise InvalidInput("text", "holds characters the database cannot store") from exc
    except psycopg.OperationalError as exc:
        if exc.sqlstate is not None and not exc.sqlstate.startswith(_SERVER_CLASSES):
            raise
        raise DatabaseUnavailable(database, connection_problem(exc)) from exc


def connection_problem(exc: psycopg.Error) -> str:
    """Why a server cannot be used, in a few words without addresses or passwords."""
    match exc:
        case pg.InvalidPassword() | pg.InvalidAuthorizationSpecification():
            return "the login was refused"
        case pg.InvalidCatalogName():
            return "the server has no such database"
        case pg.AdminShutdown() | pg.CrashShutdown() | pg.CannotConnectNow():
            return "the server is shutting down or starting"
        case pg.InsufficientPrivilege():
            return "the login may not do this"
        case _:
            text = str(exc).lower()
            return next((words for mark, words in _TOLD.items() if mark in text), _LOST)


_LOST = "the connection was lost"


def may_be_the_database(exc: psycopg.OperationalError) -> bool:
    """Whether the server may let us into another database: it spoke, and not of the login.

    A server speaks the language it was set to, so an unknown reason is worth another attempt.
    """
    return not isinstance(exc, pg.ConnectionTimeout) and connection_problem(exc) in (
        _TOLD["does not exist"],
        _TOLD["permission denied for database"],
        _TOLD["connection failed"],
        _LOST,
    )


def _reason(exc: psycopg.Error) -> str:
    match exc:
        case pg.QueryCanceled():
            return "the statement took longer than allowed"
        case pg.IdleInTransactionSessionTimeout():
            return "the transaction waited longer than allowed"
        case pg.DiskFull():
            return "its disk is full"
        case pg.OutOfMemory():
            return "it is out of memory"
        case pg.ObjectInUse():
            return "others are using it"
        case pg.TooManyConnections() | pg.ConfigurationLimitExceeded():
            return "the server has no connections left"
        case _:
            return "others are writing the same rows"
