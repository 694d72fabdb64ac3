"""What is true of a server and of a database on it: only looked at, nothing is made or changed."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql
from psycopg.rows import class_row

from mcp_memory.postgres import catalog, migrate, provision
from mcp_memory.postgres.addresses import Address, database_in
from mcp_memory.postgres.connection import Connection, translate_errors
from mcp_memory.postgres.migrate import AppliedMigration
from mcp_memory.postgres.provision import connect


@dataclass(frozen=True, slots=True)
class Server:
    """A server, and what our login may do on it."""

    number: int
    version: str
    login: str
    is_superuser: bool
    may_create_databases: bool
    may_create_roles: bool
    is_read_only: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Inside:
    """A database that exists. Versions and `worker_role` are empty where there is none."""

    encoding: str
    pgvector: str
    pgvector_on_server: str
    may_install_pgvector: bool
    has_schema: bool
    may_write: bool
    worker_role: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The server at an address, the database there (None: not created yet), its migrations."""

    server: Server
    inside: Inside | None
    applied: Sequence[AppliedMigration]


async def diagnose(name: str, url: str) -> Diagnosis:
    """Look at the database called `name` at `url`; `DatabaseUnavailable` when nobody answers."""
    with translate_errors(name):
        async with catalog.server_connection(url) as conn:
            server = await _server(conn)
            exists, _mark = await catalog.find(conn, database_in(url))
        if not exists:
            return Diagnosis(server, None, ())
        async with await connect(url) as conn:
            inside = await _inside(conn)
            # Who does not own the schema may not even look into it.
            is_open = inside.has_schema and inside.may_write
            return Diagnosis(server, inside, await migrate.list_applied(conn) if is_open else ())


_SERVER = """
SELECT current_setting('server_version_num')::int AS number,
       split_part(current_setting('server_version'), ' ', 1) AS version,
       rolname::text AS login,
       rolsuper AS is_superuser,
       rolsuper OR rolcreatedb AS may_create_databases,
       rolsuper OR rolcreaterole AS may_create_roles,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::boolean
       AS is_read_only,
       now() AS now
FROM pg_roles
WHERE rolname = current_user
"""


async def _server(conn: Connection) -> Server:
    async with conn.cursor(row_factory=class_row(Server)) as cursor:
        server = await (await cursor.execute(_SERVER)).fetchone()
    assert server is not None
    return server


# An extension that is trusted needs no superuser, only the right to create in the database.
_INSIDE = """
SELECT pg_encoding_to_char(d.encoding)::text AS encoding,
       coalesce((SELECT extversion FROM pg_extension WHERE extname = 'vector'), '') AS pgvector,
       coalesce((SELECT default_version FROM pg_available_extensions WHERE name = 'vector'), '')
       AS pgvector_on_server,
       coalesce((SELECT bool_or(r.rolsuper OR NOT v.superuser
                                OR v.trusted AND has_database_privilege(d.oid, 'CREATE'))
                 FROM pg_available_extension_versions v
                 WHERE v.name = 'vector'), false) AS may_install_pgvector,
       n.oid IS NOT NULL AS has_schema,
       CASE
           WHEN n.oid IS NULL THEN has_database_privilege(d.oid, 'CREATE')
           ELSE pg_has_role(n.nspowner, 'MEMBER')
       END AS may_write,
       coalesce((SELECT w.rolname::text
                 FROM pg_policy p
                 JOIN pg_roles w ON w.oid = ANY (p.polroles)
                 JOIN pg_class c ON c.oid = p.polrelid
                 WHERE c.relnamespace = n.oid AND c.relname = 'idempotency_keys'
                   AND p.polname = 'worked_on'), '') AS worker_role
FROM pg_database d
JOIN pg_roles r ON r.rolname = current_user
LEFT JOIN pg_namespace n ON n.nspname = 'mcp_memory'
WHERE d.datname = current_database()
"""


async def _inside(conn: Connection) -> Inside:
    async with conn.cursor(row_factory=class_row(Inside)) as cursor:
        inside = await (await cursor.execute(_INSIDE)).fetchone()
    assert inside is not None
    return inside


_HEARD_SECONDS = 5.0


async def is_heard(address: Address) -> bool:
    """Notify at the database's address, listen past any pooler; `DatabaseError` without a server.

    Behind a pooler in transaction mode LISTEN is answered like anything else, and nothing comes.
    """
    channel = f"mcp_memory_doctor_{uuid.uuid4().hex}"
    listen = sql.SQL("LISTEN {}").format(sql.Identifier(channel))
    with translate_errors(address.name):
        async with await provision.connect(address.direct_url) as listener_conn:
            await listener_conn.execute(listen)
            async with await provision.connect(address.url) as sender_conn:
                await sender_conn.execute("SELECT pg_notify(%s, '')", (channel,))
            async for _ in listener_conn.notifies(timeout=_HEARD_SECONDS, stop_after=1):
                return True
    return False
