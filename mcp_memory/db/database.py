"""One named database: its pool, and transactions in it as an agent or as the worker."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial

import anyio
import psycopg
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from mcp_memory.db import vectors
from mcp_memory.db.cancellation import Connection, Result, run_cancellable, shielded
from mcp_memory.db.provision import CONNECT_TIMEOUT_SECONDS, Layout
from mcp_memory.db.translate import translated

Work = Callable[[Connection], Awaitable[Result]]

_ENTER = """
SELECT set_config('role', coalesce(nullif(%(role)s, ''), current_setting('role')), true),
       set_config('search_path', %(search_path)s, true),
       set_config('mcp_memory.agent', %(agent)s, true),
       set_config('mcp_memory.maintenance', %(maintenance)s, true),
       set_config('statement_timeout', %(timeout)s, true),
       set_config('idle_in_transaction_session_timeout', %(timeout)s, true),
       set_config('transaction_read_only', %(read_only)s, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('hnsw.iterative_scan', 'relaxed_order', true)
"""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a named database is and how many connections it may have."""

    name: str
    url: str
    listen_url: str = ""
    read_url: str = ""
    pool_min: int = 0
    pool_max: int = 8

    @property
    def direct_url(self) -> str:
        """The address past any pooler, for LISTEN and for migrations."""
        return self.listen_url or self.url


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a statement may run and a call may wait for a connection, in seconds."""

    statement_seconds: float = 30.0
    pool_seconds: float = 10.0


class Database:
    """A prepared database. Every transaction in it has an identity that its policies see.

    Work is a function of a connection; it runs in a task of its own, so that a cancelled call ends
    its query on the server and gives the connection back unharmed.
    """

    def __init__(
        self,
        address: Address,
        layout: Layout,
        patience: Patience,
        *,
        revive: Callable[[], Awaitable[None]],
    ) -> None:
        self.address, self.layout = address, layout
        self._patience, self._revive = patience, revive
        self._pool = AsyncConnectionPool(
            address.url,
            connection_class=psycopg.AsyncConnection[TupleRow],
            min_size=address.pool_min,
            max_size=address.pool_max,
            open=False,
            timeout=patience.pool_seconds,
            max_idle=300,
            # A connection the server has dropped is found before it is handed out.
            check=AsyncConnectionPool.check_connection,
            configure=_configure,
            kwargs={
                "connect_timeout": CONNECT_TIMEOUT_SECONDS,
                "application_name": "mcp-memory",
                # Behind a pooler in transaction mode a prepared statement is somebody else's.
                "prepare_threshold": None if address.listen_url else 5,
            },
            name=address.name,
        )

    @property
    def name(self) -> str:
        """The name agents know it by."""
        return self.address.name

    async def open(self) -> None:
        """Start the pool; connections are made when they are needed."""
        await self._pool.open()

    async def close(self) -> None:
        """Give up every connection."""
        await self._pool.close()

    async def read(self, agent: str, work: Work[Result]) -> Result:
        """What `work` returns, run in a read-only transaction as `agent`."""
        return await self._run(work, self._identity(agent=agent, read_only=True))

    async def write(self, agent: str, work: Work[Result]) -> Result:
        """What `work` returns, run in a transaction as `agent` that commits when it returns."""
        return await self._run(work, self._identity(agent=agent))

    async def maintain(self, work: Work[Result]) -> Result:
        """What `work` returns, run as the worker, who sees every agent's rows."""
        identity = self._identity(worker=True)
        return await self._run(work, identity)

    async def _run(self, work: Work[Result], identity: dict[str, str]) -> Result:
        with translated(self.name):
            async with self._connection() as conn:
                return await run_cancellable(conn, partial(_transact, conn, identity, work))

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Connection]:
        conn = await shielded(self._free_connection)
        try:
            yield conn
        finally:
            with anyio.CancelScope(shield=True):
                await self._pool.putconn(conn)

    async def _free_connection(self) -> Connection:
        """A pooled connection; when none comes soon, see first whether the server is there."""
        try:
            return await self._pool.getconn(timeout=min(1.0, self._patience.pool_seconds))
        except PoolTimeout:
            await self._revive()
            return await self._pool.getconn()

    def _identity(
        self, *, agent: str = "", worker: bool = False, read_only: bool = False
    ) -> dict[str, str]:
        roles = self.layout.roles
        role = roles.worker if worker else roles.app
        return {
            "role": role,
            "search_path": self.layout.search_path,
            "agent": agent,
            "maintenance": "on" if worker else "",
            "timeout": f"{round(self._patience.statement_seconds * 1000)}ms",
            "read_only": "on" if read_only else "off",
        }


async def _transact(conn: Connection, identity: dict[str, str], work: Work[Result]) -> Result:
    async with conn.transaction():
        await conn.execute(_ENTER, identity)
        return await work(conn)


async def _configure(conn: Connection) -> None:
    """Let the server notice a client that is gone while its query runs; not every platform can."""
    vectors.register(conn)
    with suppress(psycopg.Error):
        await conn.set_autocommit(True)
        await conn.execute("SET client_connection_check_interval = '5s'")
    await conn.set_autocommit(False)
