"""One transaction with an identity: begun, worked in, committed, its end known or said unknown."""

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Protocol

import psycopg
from psycopg import sql

from mcp_memory.db import migrate
from mcp_memory.db.connection import Connection
from mcp_memory.errors import DatabaseUnavailable, OutcomeUnknown


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
