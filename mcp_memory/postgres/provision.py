"""Making a database ready: connections to it, its extension, its roles and its migrations."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import class_row
from psycopg_pool import AsyncConnectionPool

from mcp_memory.errors import DatabaseUnavailable
from mcp_memory.postgres import migrate, takeover
from mcp_memory.postgres.addresses import Address, options_in
from mcp_memory.postgres.connection import Connection, register
from mcp_memory.postgres.roles import Roles, become_owner, ensure_roles, login_of, show_schema

CONNECT_TIMEOUT_SECONDS = 10
OLDEST_SERVER = 150000
OLDEST_PGVECTOR = (0, 8)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a prepared database offers to the transactions in it."""

    roles: Roles
    search_path: str
    server_version: str
    pgvector_version: str
    migration: int
    # How often a statement looks whether its client is still there; 0 where the server cannot.
    client_check: str = "0"


# A peer that is gone without a word is known within a minute.
_SETTINGS: dict[str, str | int] = {
    "connect_timeout": CONNECT_TIMEOUT_SECONDS,
    "application_name": "mcp-memory",
    # A server whose encoding is SQL_ASCII would answer in bytes.
    "client_encoding": "utf8",
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def conninfo(url: str) -> str:
    """How to connect there: what the URL says, and our settings where it is silent."""
    said = options_in(url)
    return make_conninfo(url, **{name: _SETTINGS[name] for name in _SETTINGS if name not in said})


async def connect(url: str) -> Connection:
    """One connection in autocommit, outside every pool."""
    return await Connection.connect(conninfo(url), autocommit=True, prepare_threshold=None)


def make_pool(address: Address) -> AsyncConnectionPool[Connection]:
    """The pool of a named database, not yet open."""
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
    register(conn)


@dataclass(frozen=True, slots=True)
class _Server:
    number: int
    version: str
    encoding: str


_SERVER = """
SELECT current_setting('server_version_num')::int AS number,
       current_setting('server_version') AS version,
       pg_encoding_to_char(encoding) AS encoding
FROM pg_database
WHERE datname = current_database()
"""


async def prepare(conn: Connection, name: str, *, dump: takeover.Dump | None = None) -> Layout:
    """Extension, roles and migrations, as far as they are missing; cheap when nothing is.

    A database of the last unreleased build is taken over when there is a way to dump it before.
    """
    migrations = migrate.list_shipped()
    layout, have = await _as_owner(conn, name)
    if dump is not None and takeover.is_takeable(have):
        await take_over(conn, layout, name, dump)
        have = await migrate.list_applied(conn)
    migrate.check(name, have, migrations)
    if await migrate.is_behind(conn, have, migrations):
        await migrate.migrate(
            conn, layout.roles, layout.search_path, name=name, migrations=migrations
        )
    elif await _is_secured_for(conn) != layout.roles.worker:
        await migrate.secure(conn, layout.roles, layout.search_path)
    return replace(layout, migration=migrate.newest(migrations))


async def take_over(
    conn: Connection,
    layout: Layout,
    name: str,
    dump: takeover.Dump | None,
    *,
    patience_seconds: float = takeover.PATIENCE_SECONDS,
) -> None:
    """Bring a database of the last unreleased build to the newest migration; else do nothing."""
    await takeover.take_over(
        conn,
        layout.roles,
        layout.search_path,
        name=name,
        dump=dump,
        patience_seconds=patience_seconds,
    )


async def layout_for_migrating(conn: Connection, name: str) -> Layout:
    """The same without applying migrations: what `migrate up|down|to` works with."""
    layout, _ = await _as_owner(conn, name)
    return layout


async def _as_owner(
    conn: Connection, name: str
) -> tuple[Layout, Sequence[migrate.AppliedMigration]]:
    """The layout as it is, and its migrations; from here on the session is the schema's owner."""
    server = await _check_server(conn, name)
    schema, version = await _ensure_pgvector(conn, name)
    login = await login_of(conn)
    roles = await ensure_roles(conn, login, name)
    await show_schema(conn, roles, schema, name)
    await become_owner(conn, login, name)
    have = await migrate.list_applied(conn)
    layout = Layout(
        roles=roles,
        search_path=migrate.as_identifier_list(["mcp_memory", schema]),
        server_version=server.version.split()[0],
        pgvector_version=version,
        migration=have[-1].number if have else 0,
        client_check=await _client_check(conn),
    )
    return layout, have


async def _client_check(conn: Connection) -> str:
    """Whether the server can notice a client that is gone; not every platform can."""
    try:
        await conn.execute("SELECT set_config('client_connection_check_interval', '5s', true)")
    except psycopg.errors.InvalidParameterValue:
        return "0"
    return "5s"


async def _check_server(conn: Connection, name: str) -> _Server:
    async with conn.cursor(row_factory=class_row(_Server)) as cursor:
        server = await (await cursor.execute(_SERVER)).fetchone()
    assert server is not None
    if server.number < OLDEST_SERVER:
        raise DatabaseUnavailable(name, f"PostgreSQL {server.version} is older than 15")
    if server.encoding != "UTF8":
        raise DatabaseUnavailable(name, f"its encoding is {server.encoding}, not UTF8")
    return server


_PGVECTOR = """
SELECT n.nspname, e.extversion
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'vector'
"""


async def _ensure_pgvector(conn: Connection, name: str) -> tuple[str, str]:
    """The schema and the version of pgvector; `create extension` when it is not there yet."""
    row = await (await conn.execute(_PGVECTOR)).fetchone()
    if row is None:
        await _create_pgvector(conn, name)
        row = await (await conn.execute(_PGVECTOR)).fetchone()
    assert row is not None
    schema, version = str(row[0]), str(row[1])
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PGVECTOR:
        raise DatabaseUnavailable(
            name, f"pgvector {version} is older than 0.8; run ALTER EXTENSION vector UPDATE"
        )
    return schema, version


async def _create_pgvector(conn: Connection, name: str) -> None:
    try:
        await conn.execute("CREATE EXTENSION IF NOT EXISTS vector")
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
        return
    except psycopg.errors.InsufficientPrivilege as exc:
        raise DatabaseUnavailable(
            name,
            "the login may not install pgvector; have an administrator run CREATE EXTENSION vector"
            " in it, and in template1 for the databases to come",
        ) from exc
    except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported) as exc:
        raise DatabaseUnavailable(name, "the server has no pgvector; install it there") from exc


# The policies' worker tells whether transactions take roles here; both follow from the owner.
_EXISTING = """
SELECT (SELECT max(number) FROM mcp_memory.migrations)::integer AS migration,
       e.extversion::text AS pgvector_version,
       n.nspname::text AS vector_schema,
       current_setting('server_version') AS server_version,
       (SELECT pg_get_userbyid(nspowner)::text FROM pg_namespace WHERE nspname = 'mcp_memory')
           AS owner,
       EXISTS (SELECT FROM pg_policy p
               JOIN pg_roles r ON r.oid = ANY (p.polroles)
               WHERE p.polrelid = to_regclass('mcp_memory.idempotency_keys')
                 AND p.polname = 'worked_on') AS has_roles
FROM pg_extension e
JOIN pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'vector'
"""

_IS_MIGRATED = """
SELECT to_regclass('mcp_memory.migrations') IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class _Existing:
    migration: int
    pgvector_version: str
    vector_schema: str
    server_version: str
    owner: str
    has_roles: bool


async def existing_layout(conn: Connection) -> Layout | None:
    """The layout of a database as it is, nothing made ready; None where there is no memory yet."""
    row = await (await conn.execute(_IS_MIGRATED)).fetchone()
    if row is None or not row[0]:
        return None
    async with conn.cursor(row_factory=class_row(_Existing)) as cursor:
        existing = await (await cursor.execute(_EXISTING)).fetchone()
    if existing is None:
        return None
    return Layout(
        roles=Roles.of(existing.owner) if existing.has_roles else Roles(),
        search_path=migrate.as_identifier_list(["mcp_memory", existing.vector_schema]),
        server_version=existing.server_version.split()[0],
        pgvector_version=existing.pgvector_version,
        migration=existing.migration,
    )


_SECURED_FOR = """
SELECT r.rolname::text
FROM pg_policy p
JOIN pg_roles r ON r.oid = ANY (p.polroles)
WHERE p.polrelid = to_regclass('mcp_memory.idempotency_keys') AND p.polname = 'worked_on'
"""


async def _is_secured_for(conn: Connection) -> str:
    """The worker role that the policies were last written for; empty when there was none."""
    row = await (await conn.execute(_SECURED_FOR)).fetchone()
    return "" if row is None else str(row[0])
