"""Named databases: looked up, created on demand, opened once, closed together."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol
from weakref import WeakValueDictionary

import anyio
import anyio.to_thread

from mcp_memory.config import Config, mask_url
from mcp_memory.errors import Conflict, DatabaseError, UnknownDatabase
from mcp_memory.postgres import catalog, provision
from mcp_memory.postgres.addresses import (
    BASE,
    EMBEDDED_DATABASE,
    Address,
    Addresses,
    check_name,
    complete_url,
    database_in,
)
from mcp_memory.postgres.catalog import DatabaseEntry, Status
from mcp_memory.postgres.connection import Connection, translate_errors
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.notify import ListenerThread
from mcp_memory.postgres.session import Database, Patience, Session
from mcp_memory.postgres.takeover import Dump

_LIST_SECONDS = float(provision.CONNECT_TIMEOUT_SECONDS)
_NOT_CREATED = "auto_create is off: whoever runs the server creates it."
READ_URL_UNUSED = "read_url is not used by this version; what is read comes from url too"

logger = logging.getLogger(__name__)


class Archiver(Protocol):
    """Archives what the open transaction sees of the database of that name, in a new file."""

    async def __call__(self, conn: Connection, *, name: str, url: str, file: Path) -> None: ...


class Databases:
    """All named databases of one configuration, and which one each agent uses by default."""

    def __init__(self, config: Config, archiver: Archiver | None = None) -> None:
        self._config = config
        self._archiver = archiver
        own = config.database.url
        self._cluster = EmbeddedCluster(config.embedded.data_dir) if own is None else None
        base_url = self._cluster.url(EMBEDDED_DATABASE) if self._cluster else ""
        self._addresses = Addresses(config, own.reveal() if own else base_url)
        self._listener = ListenerThread()
        self._open: dict[str, Database] = {}
        # A lock lives as long as somebody holds it or waits: names are agents' words.
        self._locks: WeakValueDictionary[str, anyio.Lock] = WeakValueDictionary()
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
        """The database of this agent's calls that name none."""
        return self._defaults.get(agent, self.configured_default)

    def session(self, agent: str, name: str | None = None) -> Session:
        """The agent in that database, or in the one its calls use when they name none."""
        return Session(agent, name or self.default_of(agent), self)

    def mail_session(self, agent: str, name: str | None = None) -> Session:
        """The agent where its mail lies: in the configured default, unless another is named."""
        return Session(agent, name or self.configured_default, self)

    async def set_default(self, agent: str, name: str) -> str:
        """Move this agent's calls, in this process, to an existing database; the previous one."""
        await self.reading(check_name(name), agent)
        previous = self.default_of(agent)
        self._defaults[agent] = name
        return previous

    async def reading(self, name: str | None, agent: str) -> Database:
        """The database to read. Only the configured default is created when it is missing; any
        other raises `UnknownDatabase`."""
        database = name or self.default_of(agent)
        return await self._open_once(database, create=database == self.configured_default)

    async def writing(self, name: str | None, agent: str) -> Database:
        """The database to write; it is created when it does not exist."""
        return await self._open_once(name or self.default_of(agent), create=True)

    async def register(
        self, name: str, agent: str, *, url: str | None = None, persist: bool = False
    ) -> Database:
        """Open the database under this name, creating what is missing; kept when asked."""
        await self._load_registrations(check_name(name))
        if url is None:
            return await self._open_once(name, create=True)
        entry = catalog.Registration(name, complete_url(url))
        async with self._lock(name):
            await self._check_is_free(entry)
            return await self._register(entry, agent, persist=persist)

    async def _register(
        self, entry: catalog.Registration, agent: str, *, persist: bool
    ) -> Database:
        """Open the database at the entry's address; nothing of it is left when that fails."""
        name = entry.name
        is_new = self._addresses.own_url(name) is None
        if is_new:
            self._addresses.register({name: entry.url})
        try:
            if name not in self._open:
                self._open[name] = await self._prepare(name, create=True)
            if persist and name != self.configured_default:
                default = await self._default()
                async with default.maintaining() as conn:
                    await catalog.keep(conn, entry, agent)
        except BaseException:
            if is_new:
                self._addresses.unregister(name)
                await self._close(name)
            raise
        return self._open[name]

    async def list(self) -> Sequence[DatabaseEntry]:
        """Every configured, registered or derived database, the default first, then by name.

        They are looked at side by side; one that does not answer in time is unavailable.
        """
        entries: dict[str, DatabaseEntry] = {}

        async def look(name: str) -> None:
            entries[name] = await self._entry(name)

        names = await self.names()
        with anyio.move_on_after(_LIST_SECONDS):
            async with anyio.create_task_group() as tasks:
                for name in names:
                    tasks.start_soon(look, name)
        return [entries.get(name) or self._silent(name) for name in names]

    async def names(self) -> Sequence[str]:
        """The names there are, the default first; those we know when no server answers."""
        try:
            await self._load_registrations()
            derived = await self._list_derived_names()
        except DatabaseError as exc:
            logger.info("the databases cannot all be listed: %s", exc)
            derived = set[str]()
        others = sorted((self._addresses.names | derived) - {self.configured_default})
        return [self.configured_default, *others]

    def list_open(self) -> Sequence[Database]:
        """The databases that this process has open now."""
        return list(self._open.values())

    @property
    def is_deaf(self) -> bool:
        """Whether this process listens to a database and hears nothing now."""
        return any(database.notifications.problem for database in self._open.values())

    def url_of(self, name: str) -> str:
        """Where the database of that name is, or would be made; may hold a password."""
        return self._addresses.url(name)

    def address_of(self, name: str) -> Address:
        """The same with the way past a pooler; its URLs may hold passwords."""
        return self._addresses.address(name)

    def is_embedded(self, name: str) -> bool:
        """Whether the database is in the embedded cluster."""
        return self._is_embedded(self.url_of(name))

    def dump_before_take_over(self, name: str) -> Dump | None:
        """How an embedded database of an unreleased build is dumped, beside its cluster.

        None for other servers: there a person says where to, or that there is a dump.
        """
        if self._cluster is None or self._archiver is None or not self.is_embedded(name):
            return None
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        file = self._cluster.data_dir / f"{name}-migration-19-{stamp}.dump"
        return self.dump_into(name, file)

    def dump_into(self, name: str, file: Path) -> Dump:
        """How that database is dumped into a new file."""
        assert self._archiver is not None
        url = self._addresses.address(name).direct_url
        return partial(self._archiver, name=name, url=url, file=file)

    async def drop(self, name: str) -> None:
        """Drop the database with everything in it; for a person at the command line."""
        await self._load_registrations(check_name(name))
        async with self._lock(name):
            await self._close(name)
            await self._drop(self._addresses.address(name))
        if self._addresses.unregister(name):
            default = await self._default()
            async with default.maintaining() as conn:
                await catalog.forget(conn, name)

    async def _drop(self, address: Address) -> None:
        name, database = address.name, database_in(address.direct_url)
        async with self._server(name, catalog.beside(address.direct_url)) as conn:
            exists, mark = await catalog.find(conn, database)
            if not exists:
                names = await self._names_beside(name)
                raise UnknownDatabase(name, names, advice="Nothing was dropped.")
            self._check_mark(name, mark)
            await catalog.drop(conn, database)

    @asynccontextmanager
    async def direct_connection(self, name: str, *, create: bool) -> AsyncGenerator[Connection]:
        """A connection as the owner, past every pool, in autocommit."""
        await self._load_registrations(check_name(name))
        address = self._addresses.address(name)
        await self._ensure_exists(address, create=create)
        with translate_errors(name):
            async with await provision.connect(address.direct_url) as conn:
                yield conn

    async def close(self) -> None:
        """Close every pool and leave the embedded cluster."""
        for name in [*self._open]:
            await self._close(name)
        await self._listener.aclose()
        if self._cluster is not None:
            await anyio.to_thread.run_sync(self._cluster.leave)

    async def _close(self, name: str) -> None:
        with anyio.CancelScope(shield=True):
            if (database := self._open.pop(name, None)) is not None:
                await database.close()

    async def _default(self) -> Database:
        return await self._open_once(self.configured_default, create=True)

    def _lock(self, name: str) -> anyio.Lock:
        return self._locks.setdefault(name, anyio.Lock())

    async def _open_once(self, name: str, *, create: bool) -> Database:
        if (database := self._open.get(name)) is not None:
            return database
        await self._load_registrations(check_name(name))
        async with self._lock(name):
            if name not in self._open:
                self._open[name] = await self._prepare(name, create=create)
            return self._open[name]

    async def _prepare(self, name: str, *, create: bool) -> Database:
        """A ready database with its pool open."""
        address = self._addresses.address(name)
        await self._ensure_exists(address, create=create)
        with translate_errors(name):
            async with await provision.connect(address.direct_url) as conn:
                layout = await provision.prepare(conn, name, dump=self.dump_before_take_over(name))
        limits = self._config.limits
        patience = Patience(limits.statement_timeout_seconds, limits.pool_timeout_seconds)
        database = Database(
            address,
            layout,
            patience,
            revive=lambda: self._revive(address),
            listener=self._listener,
            is_audited=self._config.audit.enabled,
        )
        await database.open()
        logger.info("database %s is open at migration %d", name, layout.migration)
        if address.read_url:
            logger.warning("database %s: %s", name, READ_URL_UNUSED)
        return database

    async def _ensure_exists(self, address: Address, *, create: bool) -> None:
        name, database = address.name, database_in(address.direct_url)
        async with self._server(name, address.direct_url) as conn:
            exists, mark = await catalog.find(conn, database)
            if exists:
                self._check_mark(name, mark)
                if mark is None and self._addresses.is_derived(name):
                    await catalog.adopt(conn, database, self._mark(name))
            elif create and self._config.auto_create:
                await catalog.create(conn, database, self._mark(name))
                logger.info("created database %s", name)
        if not exists and not (create and self._config.auto_create):
            names = await self._names_beside(name)
            if not self._config.auto_create:
                raise UnknownDatabase(name, names, advice=_NOT_CREATED)
            raise UnknownDatabase(name, names)

    async def _names_beside(self, name: str) -> Sequence[str]:
        """The other names there are; registrations lie in the default database."""
        if name == self.configured_default:
            return sorted((self._addresses.names | await self._list_derived_names()) - {name})
        return [other for other in await self.names() if other != name]

    def _mark(self, name: str) -> catalog.Mark:
        """What a database made for this name is marked with."""
        return catalog.Mark(self._addresses.base_database, name)

    def _check_mark(self, name: str, mark: catalog.Mark | None) -> None:
        """Refuse a derived address that leads to a database made for another base and name."""
        if mark is None or mark == self._mark(name):
            return
        if self._addresses.is_derived(name):
            raise Conflict(
                f"What would be database {name!r} is {mark.name!r} of base {mark.base!r} on that"
                " server. Choose another name, or give it a url of its own."
            )

    async def _check_is_free(self, entry: catalog.Registration) -> None:
        """A name leads to one place: the address it has may be repeated, not changed."""
        name = entry.name
        url = self._addresses.own_url(name)
        if url is None and (
            name in {self.configured_default, *self._open}
            or name in await self._list_derived_names()
        ):
            url = self.url_of(name)
        if url is not None and url != entry.url:
            raise Conflict(
                f"Database {name!r} is at {mask_url(url)} already."
                " Choose another name, or leave url out."
            )

    async def _load_registrations(self, name: str | None = None) -> None:
        """Learn what other processes have registered, unless the name is known without it."""
        if name is not None and name in {BASE, self.configured_default, *self._open}:
            return
        default = await self._default()
        async with default.maintaining() as conn:
            entries = await catalog.registrations(conn)
        self._addresses.register({entry.name: entry.url for entry in entries})

    async def _list_derived_names(self) -> set[str]:
        async with self._server(BASE, self._addresses.address(BASE).direct_url) as conn:
            return set(await catalog.names_of_base(conn, self._addresses.base_database))

    def _is_embedded(self, url: str) -> bool:
        if self._cluster is None:
            return False
        prefix, _, options = self._cluster.url("x").rpartition("/x")
        return url.startswith(prefix) and url.endswith(options)

    @asynccontextmanager
    async def _server(self, name: str, url: str) -> AsyncGenerator[Connection]:
        """A connection to the server of `url`, started when it is the embedded one."""
        if self._is_embedded(url):
            await self._start_cluster()
        with translate_errors(name):
            async with catalog.server_connection(url) as conn:
                yield conn

    async def _start_cluster(self) -> None:
        assert self._cluster is not None
        await anyio.to_thread.run_sync(self._cluster.start)

    async def _revive(self, address: Address) -> None:
        """Start the embedded cluster again if it was killed; raise when another server is down."""
        if self._is_embedded(address.url):
            await self._start_cluster()
        with translate_errors(address.name):
            async with await provision.connect(address.url):
                return

    async def _entry(self, name: str) -> DatabaseEntry:
        address = self._addresses.address(name)
        database = database_in(address.direct_url)
        try:
            async with self._server(name, address.direct_url) as conn:
                exists, _ = await catalog.find(conn, database)
                size = await catalog.size_bytes(conn, database) if exists else 0
        except DatabaseError as exc:
            return self._silent(name, str(exc))
        status: Status = "ready" if exists else "not created"
        return DatabaseEntry(name, mask_url(address.url), status, self.is_embedded(name), size)

    def _silent(
        self, name: str, problem: str = "the server did not answer in time"
    ) -> DatabaseEntry:
        """How a database is listed that cannot be looked at."""
        url = mask_url(self.url_of(name))
        return DatabaseEntry(name, url, "unavailable", self.is_embedded(name), 0, problem)
