"""A session: one agent in one named database, and what stands below it.

An interface makes the session and passes it down; it opens a transaction with an identity on a
pooled connection of its database: begun, worked in, committed, its end known or said unknown.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Protocol

import anyio
import psycopg
from psycopg import sql
from psycopg_pool import PoolTimeout

from mcp_memory.errors import DatabaseBusy, DatabaseUnavailable, OutcomeUnknown
from mcp_memory.postgres import migrate
from mcp_memory.postgres.addresses import Address
from mcp_memory.postgres.connection import (
    Connection,
    SharedReconnect,
    claim,
    translate_errors,
)
from mcp_memory.postgres.notify import ListenerThread, Notifications
from mcp_memory.postgres.provision import Layout, make_pool


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


_SOON_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a statement may run and a call may wait for a connection, in seconds."""

    statement_seconds: float = 30.0
    pool_seconds: float = 10.0


class Database:
    """A prepared database. Every transaction in it has an identity that its policies see.

    A connection that turns out to be dead before the transaction began is replaced unseen;
    `revive` may start the server again for that.
    """

    def __init__(
        self,
        address: Address,
        layout: Layout,
        patience: Patience,
        *,
        revive: Callable[[], Awaitable[None]],
        listener: ListenerThread,
        is_audited: bool = True,
    ) -> None:
        self.address, self.layout = address, layout
        self._is_audited = is_audited
        self.notifications = Notifications(address.name, address.direct_url, listener)
        self._patience = patience
        # Counted when a write is over, however it ended: what was read before it began is old then.
        self.writes = 0
        self._revive = revive
        self._reconnect = SharedReconnect(self._renew)
        self._in_use = 0
        self._pool = make_pool(address)

    @property
    def name(self) -> str:
        """The name agents know it by."""
        return self.address.name

    async def open(self) -> None:
        """Start the pool; connections are made when they are needed."""
        # It warns at each attempt, with host and login, of what our errors say once.
        logging.getLogger("psycopg").setLevel(logging.ERROR)
        await self._pool.open()

    async def close(self) -> None:
        """Give up every connection."""
        await self.notifications.aclose()
        await self._pool.close()

    @asynccontextmanager
    async def reading(self, agent: str) -> AsyncGenerator[Connection]:
        """A connection in a read-only transaction as `agent`."""
        async with self._transaction(self._identity(agent=agent, is_read_only=True)) as conn:
            yield conn

    @asynccontextmanager
    async def writing(
        self, agent: str, *, changes_search: bool = True
    ) -> AsyncGenerator[Connection]:
        """A connection in a transaction as `agent` that commits when the block ends well.

        Answers that were kept of searches are old then, unless it changes nothing they show.
        """
        try:
            async with self._transaction(self._identity(agent=agent)) as conn:
                yield conn
        finally:
            self.writes += changes_search

    @asynccontextmanager
    async def maintaining(self) -> AsyncGenerator[Connection]:
        """A connection in a transaction as the worker, who sees every agent's rows."""
        async with self._transaction(self._identity(is_worker=True)) as conn:
            yield conn

    @asynccontextmanager
    async def _transaction(self, identity: Identity) -> AsyncGenerator[Connection]:
        """A pooled connection inside a transaction; a dead one is replaced once, unseen."""
        with translate_errors(self.name):
            try:
                conn = await self._begin(identity)
            except ConnectionLost:
                await self._reconnect()
                conn = await self._begin(identity)
            try:
                async with working(conn, identity):
                    yield conn
            finally:
                await self._give_back(conn)

    async def _begin(self, identity: Identity) -> Connection:
        conn = await claim(self._free_connection, self._pool.putconn)
        self._in_use += 1
        try:
            await begin(conn, identity)
        except BaseException:
            await self._give_back(conn)
            raise
        return conn

    async def _give_back(self, conn: Connection) -> None:
        self._in_use -= 1
        with anyio.CancelScope(shield=True):
            await self._pool.putconn(conn)

    async def _free_connection(self) -> Connection:
        """A pooled connection; when none comes soon, see first whether the server is there."""
        seconds = self._patience.pool_seconds
        soon = min(_SOON_SECONDS, seconds)
        with suppress(PoolTimeout):
            return await self._pool.getconn(timeout=soon)
        if self._is_exhausted:
            seconds -= soon
        else:
            await self._reconnect()
        try:
            return await self._pool.getconn(timeout=seconds)
        except PoolTimeout as exc:
            raise self._no_connection() from exc

    @property
    def _is_exhausted(self) -> bool:
        return self._in_use >= self.address.pool_max

    def _no_connection(self) -> DatabaseBusy | DatabaseUnavailable:
        if not self._is_exhausted:
            return DatabaseUnavailable(self.name, "no connection could be made in time")
        return DatabaseBusy(
            self.name,
            f"all {self.address.pool_max} connections of this process (pool.max) stayed in use"
            f" for {self._patience.pool_seconds:g} seconds",
        )

    async def _renew(self) -> None:
        """See that the server is there; connections older than that are not used again."""
        await self._revive()
        with anyio.CancelScope(shield=True):
            await self._pool.drain()

    def _identity(
        self, *, agent: str = "", is_worker: bool = False, is_read_only: bool = False
    ) -> Identity:
        roles = self.layout.roles
        return Identity(
            database=self.name,
            role=roles.worker if is_worker else roles.app,
            search_path=self.layout.search_path,
            agent=agent,
            is_worker=is_worker,
            is_read_only=is_read_only,
            timeout_milliseconds=round(self._patience.statement_seconds * 1000),
            client_check=self.layout.client_check,
            is_audited=self._is_audited,
        )


class Opener(Protocol):
    """What opens named databases, once each: the `Databases` of a process."""

    async def reading(self, name: str, agent: str) -> Database:
        """The database to read; `UnknownDatabase` when it does not exist."""
        ...

    async def writing(self, name: str, agent: str) -> Database:
        """The database to write; it is created when it does not exist."""
        ...


@dataclass(frozen=True, slots=True)
class Session:
    """For whom and where everything of one call happens.

    Nothing is opened before the first use. Reading a database that does not exist raises
    `UnknownDatabase` (only the configured default is made for it); the first write makes it.
    """

    agent: str
    database: str
    databases: Opener = field(repr=False, compare=False)

    async def open(self, *, create: bool = False) -> Database:
        """The database itself; made when it is missing and `create` asks for it."""
        if create:
            return await self.databases.writing(self.database, self.agent)
        return await self.databases.reading(self.database, self.agent)

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection]:
        """A connection in a read-only transaction as the agent."""
        database = await self.open()
        async with database.reading(self.agent) as conn:
            yield conn

    @asynccontextmanager
    async def writing(
        self, *, create: bool = True, changes_search: bool = True
    ) -> AsyncGenerator[Connection]:
        """A connection in a transaction as the agent that commits when the block ends well.

        `create=False` is for what cannot be a database's first write. Answers kept of searches
        are old afterwards, unless it `changes_search` not.
        """
        database = await self.open(create=create)
        async with database.writing(self.agent, changes_search=changes_search) as conn:
            yield conn

    @asynccontextmanager
    async def maintaining(self) -> AsyncGenerator[Connection]:
        """A connection in a transaction as the worker, who sees every agent's rows."""
        database = await self.open()
        async with database.maintaining() as conn:
            yield conn


class OpenSession(Protocol):
    """How an interface makes a session."""

    def __call__(self, agent: str, name: str | None = None) -> Session:
        """The agent in the database of that name, or in the usual one."""
        ...
