"""One named database: its pool, and transactions in it as an agent or as the worker."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import anyio
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from mcp_memory.errors import DatabaseBusy, DatabaseError, DatabaseUnavailable
from mcp_memory.postgres import connection
from mcp_memory.postgres.addresses import Address
from mcp_memory.postgres.connection import Connection, claim
from mcp_memory.postgres.notify import ListenerThread, Notifications
from mcp_memory.postgres.provision import Layout, conninfo
from mcp_memory.postgres.transaction import (
    ConnectionLost,
    Identity,
    begin,
    translate_errors,
    working,
)


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
        self._pool = _pool(address)

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


def _pool(address: Address) -> AsyncConnectionPool[Connection]:
    return AsyncConnectionPool(
        conninfo(address.url),
        connection_class=Connection,
        min_size=address.pool_min,
        max_size=address.pool_max,
        open=False,
        max_idle=300,
        # No back-off of the pool's own: the next call tries anew, and says what is wrong.
        reconnect_timeout=0,
        configure=_configure,
        # Transactions begin with the statement that says whose they are. Behind a pooler in
        # transaction mode a prepared statement is somebody else's.
        kwargs={"autocommit": True, "prepare_threshold": None if address.listen_url else 5},
        name=address.name,
    )


async def _configure(conn: Connection) -> None:
    connection.register(conn)
