"""One transaction with an identity: begun, worked in, committed, its end known or said unknown."""

from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Protocol

import psycopg
import psycopg_pool
from psycopg import errors as pg
from psycopg import sql

from mcp_memory.errors import DatabaseBusy, DatabaseUnavailable, InvalidInput, OutcomeUnknown
from mcp_memory.postgres import migrate
from mcp_memory.postgres.connection import Connection


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a transaction runs. `role` is empty where the login could create none."""

    database: str
    role: str
    search_path: str
    agent: str
    is_worker: bool
    is_read_only: bool
    timeout_milliseconds: int
    client_check: str
    is_audited: bool


class AgentSession(Protocol):
    """One agent in one database: a server's `Session`, or a hook's one connection."""

    @property
    def agent(self) -> str:
        """Whose rows are read and written."""
        ...

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in a read-only transaction as the agent."""
        ...

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in a transaction as the agent that commits when the block ends well."""
        ...


class ConnectionLost(psycopg.OperationalError):
    """The connection was dead before anything was done on it: another one may be tried."""


# Everything is local to the transaction: behind a pooler the next one is somebody else's.
# read_only is never set to off, which a standby refuses and a read-only server would obey.
# A search is planned anew for its values. What is written is found by keys, whatever they are, and
# a foreign key's check is such a statement for each row: planning those once is enough.
_ENTER = """
BEGIN;
SELECT set_config('role', coalesce(nullif({role}, ''), current_setting('role')), true),
       set_config('search_path', {search_path}, true),
       set_config('mcp_memory.agent', {agent}, true),
       set_config('mcp_memory.maintenance', CASE WHEN {is_worker} THEN 'on' ELSE '' END, true),
       set_config('mcp_memory.audit', CASE WHEN {is_audited} THEN 'on' ELSE 'off' END, true),
       set_config('TimeZone', 'UTC', true),
       set_config('statement_timeout', {timeout_milliseconds}::text, true),
       set_config('idle_in_transaction_session_timeout', {timeout_milliseconds}::text, true),
       set_config('transaction_read_only',
                  CASE WHEN {is_read_only} THEN 'on'
                       ELSE current_setting('transaction_read_only') END, true),
       set_config('client_connection_check_interval', {client_check}, true),
       set_config('plan_cache_mode',
                  CASE WHEN {is_read_only} THEN 'force_custom_plan' ELSE 'auto' END, true),
       set_config('hnsw.iterative_scan', 'relaxed_order', true),
       {role} = '' AND EXISTS (
           SELECT
           FROM pg_policy
           WHERE polrelid = to_regclass('mcp_memory.idempotency_keys') AND polname = 'worked_on'
       )
"""


@asynccontextmanager
async def transaction(conn: Connection, identity: Identity) -> AsyncGenerator[Connection]:
    """The connection inside a transaction as `identity`, committed when the block ends well.

    It must be in autocommit. `ConnectionLost` when it was dead before the block began,
    `OutcomeUnknown` when it died while a write was committed.
    """
    await begin(conn, identity)
    async with working(conn, identity):
        yield conn


async def begin(conn: Connection, identity: Identity) -> None:
    """Begin a transaction as `identity`; none is open when this raises."""
    try:
        await _enter(conn, identity)
    except BaseException as exc:
        await conn.roll_back()
        if conn.broken and isinstance(exc, psycopg.OperationalError):
            raise ConnectionLost(str(exc)) from exc
        raise


_MISSING = (
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedObject,
    psycopg.errors.UndefinedTable,
)


@asynccontextmanager
async def working(conn: Connection, identity: Identity) -> AsyncGenerator[None]:
    """Commit what the block does, or undo it; `conn.transaction()` costs a round trip more.

    `DatabaseTooNew` when it lacks something that a newer version has taken away meanwhile.
    """
    try:
        yield
    except _MISSING:
        await conn.roll_back()
        await migrate.refuse_newer(conn, identity.database)
        raise
    except BaseException:
        await conn.roll_back()
        raise
    try:
        await conn.commit()
    except BaseException as exc:
        await conn.roll_back()
        if conn.broken and isinstance(exc, psycopg.OperationalError) and not identity.is_read_only:
            raise OutcomeUnknown(identity.database) from exc
        raise


async def _enter(conn: Connection, identity: Identity) -> None:
    """Begin, and take the identity: one round trip.

    Policies written for two roles since would not hold the login itself.
    """
    cursor = await conn.execute(_entrance(identity), prepare=False)
    cursor.nextset()
    row = await cursor.fetchone()
    if row is not None and row[-1]:
        raise DatabaseUnavailable(
            identity.database, "its login was given roles since this process began; start it anew"
        )


@lru_cache(maxsize=1024)
def _entrance(identity: Identity) -> bytes:
    """The statements that enter as that identity; two in one take no parameters."""
    values = {name: sql.Literal(value) for name, value in asdict(identity).items()}
    return sql.SQL(_ENTER).format(**values).as_bytes()


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
