"""Named databases: found, derived, created on demand, opened once, closed together."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import anyio
import anyio.to_thread
import psycopg

from mcp_memory.config import Config, DatabaseConfig, mask_url
from mcp_memory.db import catalog, provision, registry
from mcp_memory.db.cancellation import Connection
from mcp_memory.db.catalog import Mark
from mcp_memory.db.database import Address, Database, Patience
from mcp_memory.db.embedded import EmbeddedCluster
from mcp_memory.db.names import checked_name, database_in, derived_url
from mcp_memory.db.translate import connection_problem, translated
from mcp_memory.errors import Conflict, DatabaseError, UnknownDatabase

BASE = "main"
_EMBEDDED_DATABASE = "mcp_memory"

logger = logging.getLogger(__name__)

Status = Literal["ready", "not created", "unavailable"]


@dataclass(frozen=True, slots=True)
class Listed:
    """A database as a list shows it; `problem` says why it is unavailable."""

    name: str
    url: str
    status: Status
    embedded: bool
    size_bytes: int
    problem: str = ""


class Databases:
    """All named databases of one configuration, and which one each agent uses by default.

    `main` is the database at `database.url` (or the embedded cluster's own). Every other name has
    its own URL from the configuration or a registration, or one derived from the base's.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._cluster = EmbeddedCluster(config.embedded.data_dir) if _is_embedded(config) else None
        self._open: dict[str, Database] = {}
        self._locks: dict[str, anyio.Lock] = {}
        self._registered: dict[str, str] = {}
        self._defaults: dict[str, str] = {}

    @property
    def cluster(self) -> EmbeddedCluster | None:
        """The embedded cluster, when this configuration uses one."""
        return self._cluster

    @property
    def configured_default(self) -> str:
        """The default that the configuration names."""
        return self._config.default_database

    def default_of(self, agent: str) -> str:
        """The database that this agent's calls use when they name none."""
        return self._defaults.get(agent, self._config.default_database)

    async def set_default(self, agent: str, name: str) -> str:
        """Move this agent's calls, in this process, to a database that exists; its previous default."""
        await self.reading(name, agent)
        previous = self.default_of(agent)
        self._defaults[agent] = name
        return previous

    async def reading(self, name: str | None, agent: str) -> Database:
        """The database to read; `UnknownDatabase` when it does not exist, and nothing is created."""
        chosen = name or self.default_of(agent)
        return await self._opened(chosen, create=chosen == self._config.default_database)

    async def writing(self, name: str | None, agent: str) -> Database:
        """The database to write; it is created when it does not exist."""
        return await self._opened(name or self.default_of(agent), create=True)

    async def register(
        self, name: str, agent: str, *, url: str | None = None, persist: bool = False
    ) -> Database:
        """Open the database under this name, creating what is missing; kept for later when asked."""
        await self._check_registration(checked_name(name), url)
        if url is not None:
            self._registered[name] = url
        try:
            database = await self._opened(name, create=True)
        except DatabaseError:
            self._registered.pop(name, None)
            raise
        if url is not None and persist:
            default = await self._opened(self.configured_default, create=True)
            entry = registry.Registered(name, url)
            await default.maintain(lambda conn: registry.keep(conn, entry, agent))
        return database

    async def list(self) -> list[Listed]:
        """Every configured, registered or derived database, the default first, then by name."""
        names = await self.known_names()
        return [await self._listed(name) for name in names]

    async def known_names(self) -> list[str]:
        """The names there are, the default first."""
        default = self._config.default_database
        names = {BASE, default, *self._config.databases, *await self._all_registered()}
        try:
            async with self._server(self.url_of(BASE)) as conn:
                names |= set(await catalog.names_of_base(conn, self._base_database()))
        except (psycopg.OperationalError, DatabaseError) as exc:
            logger.warning("derived databases cannot be listed: %s", type(exc).__name__)
        return [default, *sorted(names - {default})]

    def url_of(self, name: str) -> str:
        """Where the database of that name is, or would be made; holds the password."""
        settings = self._settings(name)
        own = settings.url.reveal() if settings and settings.url else self._registered.get(name)
        if own is not None:
            return own
        base = self._base_url()
        return base if name == BASE else derived_url(base, name)

    async def drop(self, name: str) -> None:
        """Drop the database with everything in it; for a person at the command line."""
        address = self._address(checked_name(name))
        if (opened := self._open.pop(name, None)) is not None:
            await opened.close()
        with translated(name):
            async with self._server(address.direct_url) as conn:
                found, _ = await catalog.find(conn, database_in(address.url))
        if not found:
            raise UnknownDatabase(name, await self.known_names())
        await self._drop(name, address)

    @asynccontextmanager
    async def direct_connection(self, name: str) -> AsyncIterator[Connection]:
        """A connection as the owner, past every pool, to a database that exists or is created."""
        address = self._address(checked_name(name))
        with translated(name):
            await self._ensure_exists(name, address, create=True)
            async with await provision.connect(address.direct_url) as conn:
                yield conn

    async def close(self) -> None:
        """Close every pool and leave the embedded cluster."""
        for database in self._open.values():
            await database.close()
        self._open.clear()
        if self._cluster is not None:
            await anyio.to_thread.run_sync(self._cluster.leave)

    async def revive(self, name: str) -> None:
        """Start the embedded cluster again if it was killed; raise when another server is down."""
        address = self._address(name)
        if self._is_embedded(address.url):
            await self._start_cluster()
        with translated(name):
            async with await provision.connect(address.url):
                return

    async def _opened(self, name: str, *, create: bool) -> Database:
        if (database := self._open.get(name)) is not None:
            return database
        async with self._locks.setdefault(checked_name(name), anyio.Lock()):
            if name not in self._open:
                self._open[name] = await self._prepared(name, create=create)
        return self._open[name]

    async def _prepared(self, name: str, *, create: bool) -> Database:
        """A ready database with its pool open."""
        if name not in self._registered:
            await self._load_registration(name)
        address = self._address(name)
        with translated(name):
            await self._ensure_exists(name, address, create=create)
            async with await provision.connect(address.direct_url) as conn:
                layout = await provision.prepare(conn, name)
        limits = self._config.limits
        patience = Patience(limits.statement_timeout_seconds, limits.pool_timeout_seconds)
        database = Database(address, layout, patience, revive=lambda: self.revive(name))
        await database.open()
        logger.info("database %s is open at migration %d", name, layout.migration)
        return database

    async def _ensure_exists(self, name: str, address: Address, *, create: bool) -> None:
        database = database_in(address.url)
        async with self._server(address.direct_url) as conn:
            found, mark = await catalog.find(conn, database)
            if found:
                self._check_mark(name, address, mark)
                return
            if not (create and self._config.auto_create):
                raise UnknownDatabase(name, await self.known_names())
            await catalog.create(conn, database, self._mark(name))
            logger.info("created database %s", name)

    def _check_mark(self, name: str, address: Address, mark: Mark | None) -> None:
        """Refuse a derived address that leads to a database made for another base and name."""
        is_derived = address.url == self._derived_or_base(name)
        if is_derived and mark is not None and mark != self._mark(name):
            raise Conflict(
                f"{database_in(address.url)!r} on the server belongs to database {mark.name!r} of"
                f" base {mark.base!r}. Choose another name than {name!r}, or give it its own url."
            )

    def _mark(self, name: str) -> Mark:
        return Mark(self._base_database(), name)

    def _derived_or_base(self, name: str) -> str:
        base = self._base_url()
        return base if name == BASE else derived_url(base, name)

    def _base_database(self) -> str:
        return database_in(self._base_url())

    def _base_url(self) -> str:
        if self._config.database.url is not None:
            return self._config.database.url.reveal()
        assert self._cluster is not None
        return self._cluster.url(_EMBEDDED_DATABASE)

    def _settings(self, name: str) -> DatabaseConfig | None:
        if name in self._config.databases:
            return self._config.databases[name]
        return self._config.database if name == BASE else None

    def _address(self, name: str) -> Address:
        settings = self._settings(name) or DatabaseConfig()
        return Address(
            name,
            self.url_of(name),
            listen_url=settings.listen_url.reveal() if settings.listen_url else "",
            pool_min=settings.pool.min,
            pool_max=settings.pool.max,
        )

    def _is_embedded(self, url: str) -> bool:
        if self._cluster is None:
            return False
        prefix, _, options = self._cluster.url("x").partition("/x")
        return url.startswith(prefix) and url.endswith(options)

    @asynccontextmanager
    async def _server(self, url: str) -> AsyncIterator[Connection]:
        if self._is_embedded(url):
            await self._start_cluster()
        async with catalog.server_connection(url) as conn:
            yield conn

    async def _start_cluster(self) -> None:
        assert self._cluster is not None
        await anyio.to_thread.run_sync(self._cluster.start)
        await anyio.to_thread.run_sync(self._cluster.ensure_running)

    async def _all_registered(self) -> Sequence[str]:
        default = await self._opened(self.configured_default, create=True)
        for entry in await default.maintain(registry.all_registered):
            self._registered.setdefault(entry.name, entry.url)
        return list(self._registered)

    async def _load_registration(self, name: str) -> None:
        if name != self.configured_default and name not in self._config.databases:
            await self._all_registered()

    async def _check_registration(self, name: str, url: str | None) -> None:
        """A name leads to one place: an address it has may be repeated, not changed."""
        await self._load_registration(name)
        known = self._registered.get(name) or self._configured_url(name)
        if url is not None and known is not None and known != url:
            raise Conflict(
                f"Database {name!r} is registered at {mask_url(known)} already."
                " Choose another name, or leave url out."
            )

    def _configured_url(self, name: str) -> str | None:
        settings = self._settings(name)
        if settings is not None and settings.url is not None:
            return settings.url.reveal()
        return self._base_url() if name == BASE else None

    async def _drop(self, name: str, address: Address) -> None:
        with translated(name):
            async with self._server_beside(address) as conn:
                await catalog.drop(conn, database_in(address.url))
        if self._registered.pop(name, None) is not None:
            default = await self._opened(self.configured_default, create=True)
            await default.maintain(lambda conn: registry.forget(conn, name))

    @asynccontextmanager
    async def _server_beside(self, address: Address) -> AsyncIterator[Connection]:
        """A connection to the same server, not inside the database itself."""
        async with catalog.server_connection(catalog.beside(address.direct_url)) as conn:
            yield conn

    async def _listed(self, name: str) -> Listed:
        url = self.url_of(name)
        try:
            async with self._server(url) as conn:
                found, _ = await catalog.find(conn, database_in(url))
                size = await catalog.size_bytes(conn, database_in(url)) if found else 0
        except psycopg.OperationalError as exc:
            return self._unavailable(name, url, connection_problem(exc))
        except DatabaseError as exc:
            return self._unavailable(name, url, str(exc))
        status: Status = "ready" if found else "not created"
        return Listed(name, mask_url(url), status, self._is_embedded(url), size)

    def _unavailable(self, name: str, url: str, problem: str) -> Listed:
        return Listed(name, mask_url(url), "unavailable", self._is_embedded(url), 0, problem)


def _is_embedded(config: Config) -> bool:
    return config.database.url is None

