"""The one connection of a hook: to a database that is there already, as the configured agent.

It creates, migrates and pools nothing: a server does that. The imports are kept few on purpose.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace

import psycopg

from mcp_memory.config import Config
from mcp_memory.db.cancellation import Connection, Result
from mcp_memory.db.embedded import EmbeddedCluster
from mcp_memory.db.migrate import as_identifier_list, newest, shipped
from mcp_memory.db.names import complete_url, derived_url
from mcp_memory.db.transaction import Identity, transact
from mcp_memory.errors import DatabaseError
from mcp_memory.hooks import store

_BASE = "main"
_EMBEDDED_DATABASE = "mcp_memory"
_CONNECT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class HookDatabase:
    """The agent's default database, over one connection."""

    conn: Connection
    identity: Identity

    async def read(self, agent: str, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` returns, run in a read-only transaction as `agent`."""
        identity = replace(self.identity, agent=agent, is_read_only=True)
        return await transact(self.conn, identity, lambda conn: work(conn))

    async def write(self, agent: str, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` returns, run in a transaction as `agent` that commits when it returns."""
        identity = replace(self.identity, agent=agent)
        return await transact(self.conn, identity, lambda conn: work(conn))


@asynccontextmanager
async def opened(config: Config, timeout_seconds: float) -> AsyncGenerator[HookDatabase]:
    """The database, if it is there and as this version expects it; the cluster's is started."""
    with ExitStack() as stack:
        conn = await psycopg.AsyncConnection.connect(
            _url(config, stack),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=_CONNECT_SECONDS,
            application_name="mcp-memory hook",
        )
        async with conn:
            yield HookDatabase(conn, await _identity(conn, config, timeout_seconds))


def _url(config: Config, stack: ExitStack) -> str:
    name = config.default_database
    named = config.databases.get(name)
    if named is not None and named.url is not None:
        return complete_url(named.url.reveal())
    own = config.database.url
    if own is None:
        cluster = stack.enter_context(EmbeddedCluster(config.embedded.data_dir))
        base = cluster.url(_EMBEDDED_DATABASE)
    else:
        base = complete_url(own.reveal())
    return base if name == _BASE else derived_url(base, name)


async def _identity(conn: Connection, config: Config, timeout_seconds: float) -> Identity:
    found = await store.layout(conn)
    if found is None or found.migration != newest(shipped()):
        raise DatabaseError("the database is not at this version's migration; start a server first")
    worker = found.worker_role
    return Identity(
        database=config.default_database,
        role=f"{worker.removesuffix('_mcp_worker')}_mcp_app" if worker else "",
        search_path=as_identifier_list(["mcp_memory", found.vector_schema]),
        agent=config.agent,
        is_worker=False,
        is_read_only=False,
        timeout_milliseconds=round(timeout_seconds * 1000),
        client_check="0",
        is_audited=config.audit.enabled,
    )
