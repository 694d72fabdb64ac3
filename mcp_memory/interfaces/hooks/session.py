"""The one connection of a hook: to a database that is there already, as the configured agent.

It creates, migrates and pools nothing: a server does that. The imports are kept few on purpose.
"""

from collections.abc import AsyncGenerator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from mcp_memory.config import Config
from mcp_memory.errors import DatabaseError
from mcp_memory.postgres.addresses import EMBEDDED_DATABASE, Addresses
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.migrate import newest, shipped
from mcp_memory.postgres.provision import existing_layout
from mcp_memory.postgres.transaction import Identity, transaction

# A server that takes longer to connect leaves no time to answer the event.
_CONNECT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class HookSession:
    """The configured agent in its default database, over one connection."""

    conn: Connection
    identity: Identity

    @property
    def agent(self) -> str:
        """Whose rows are read and written."""
        return self.identity.agent

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection]:
        """The connection in a read-only transaction as the agent."""
        async with transaction(self.conn, replace(self.identity, is_read_only=True)) as conn:
            yield conn

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[Connection]:
        """The connection in a transaction as the agent that commits when the block ends well."""
        async with transaction(self.conn, self.identity) as conn:
            yield conn


@asynccontextmanager
async def open_session(config: Config, timeout_seconds: float) -> AsyncGenerator[HookSession]:
    """The session, where the database is as this version expects it; the cluster is started."""
    with ExitStack() as stack:
        conn = await Connection.connect(
            _url(config, stack),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=_CONNECT_SECONDS,
            application_name="mcp-memory hook",
        )
        async with conn:
            yield HookSession(conn, await _identity(conn, config, timeout_seconds))


def _url(config: Config, stack: ExitStack) -> str:
    """Where the default database is; the embedded cluster runs until the stack ends."""
    name, own = config.default_database, config.database.url
    if own is not None:
        return Addresses(config, own.reveal()).url(name)
    cluster = EmbeddedCluster(config.embedded.data_dir)
    addresses = Addresses(config, cluster.url(EMBEDDED_DATABASE))
    if addresses.is_derived(name):
        stack.enter_context(cluster)
    return addresses.url(name)


async def _identity(conn: Connection, config: Config, timeout_seconds: float) -> Identity:
    layout = await existing_layout(conn)
    if layout is None or layout.migration != newest(shipped()):
        raise DatabaseError("the database is not at this version's migration; start a server first")
    return Identity(
        database=config.default_database,
        role=layout.roles.app,
        search_path=layout.search_path,
        agent=config.agent,
        is_worker=False,
        is_read_only=False,
        timeout_milliseconds=round(timeout_seconds * 1000),
        client_check=layout.client_check,
        is_audited=config.audit.enabled,
    )
