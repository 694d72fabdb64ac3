"""Taking over a database of the last unreleased build (migration 19), without losing a row.

One transaction: a process that is killed leaves the database at 19 or at the newest number. While
it runs nobody else uses the database: a process of that build would find other tables.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import anyio
import psycopg
from psycopg import sql

from mcp_memory.errors import DatabaseInUse, MigrationChanged, MigrationFailed
from mcp_memory.postgres import migrate, schema
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.migrate import LAST_UNRELEASED, AppliedMigration
from mcp_memory.postgres.roles import Roles

# Dumps what the open transaction of this connection sees; raises when it cannot.
Dump = Callable[[Connection], Awaitable[None]]

PATIENCE_SECONDS = 30.0
_POLL_SECONDS = 0.1
# Of the nineteen migrations of commit 747b382: number, name and digest of each.
_DIGEST = "e2cae217d32f3329a2922126c02efb6dea17c07658a6f620644f3b14aec2dc1d"


def is_takeable(have: Sequence[AppliedMigration]) -> bool:
    """Whether the database is at the last unreleased number."""
    return bool(have) and have[-1].number == LAST_UNRELEASED


def digest_of(have: Sequence[AppliedMigration]) -> str:
    """One digest of all that a database has applied."""
    lines = [f"{step.number} {step.name} {step.sha256}\n" for step in have]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


async def take_over(
    conn: Connection,
    roles: Roles,
    search_path: str,
    *,
    name: str,
    dump: Dump | None,
    patience_seconds: float = PATIENCE_SECONDS,
) -> None:
    """Bring a database at 19 to the newest number, dumped before; nothing when it is there.

    `DatabaseInUse` when others still use it after that time. If anything fails, the dump too,
    nothing is changed.
    """
    async with migrate.lock(conn, name):
        have = await migrate.list_applied(conn)
        if not is_takeable(have):
            return
        if digest_of(have) != _DIGEST:
            raise MigrationChanged(have[-1].name)
        deadline = anyio.current_time() + patience_seconds
        while sessions := await _try_once(conn, roles, search_path, dump):
            if anyio.current_time() > deadline:
                raise DatabaseInUse(name, sessions)
            await anyio.sleep(_POLL_SECONDS)


class _OthersCame(Exception):
    """Others began to use the database before its tables were locked."""

    def __init__(self, sessions: Sequence[str]) -> None:
        self.sessions = list(sessions)
        super().__init__("others use the database")


async def _try_once(
    conn: Connection, roles: Roles, search_path: str, dump: Dump | None
) -> list[str]:
    """Take it over if nobody else uses it, else the sessions that do."""
    if sessions := await other_sessions(conn, roles):
        return sessions
    try:
        async with conn.transaction():
            await migrate.enter_as_owner(conn, roles, search_path)
            await _lock(conn, _AGAINST_WRITERS)
            if sessions := await other_sessions(conn, roles):
                raise _OthersCame(sessions)
            if dump is not None:
                await dump(conn)
            await _lock(conn, _AGAINST_ALL)
            await _bring_up(conn)
    except _OthersCame as exc:
        return exc.sessions
    except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
        return await other_sessions(conn, roles) or ["one that has just ended"]
    except psycopg.Error as exc:
        raise MigrationFailed("takeover", str(exc).splitlines()[0]) from exc
    return []


# What takeover/0019.sql leads to. It was written before the later migrations, and never changes.
_LEADS_TO = 25


async def _bring_up(conn: Connection) -> None:
    """From 19 to the newest number, in the open transaction."""
    await conn.execute(_statements())
    for migration in migrate.list_shipped():
        if migration.number > _LEADS_TO:
            await conn.execute(migration.up.encode())
    await migrate.record_all(conn, migrate.list_shipped())


@cache
def _statements() -> bytes:
    return (migrate.migrations_dir() / "takeover" / "0019.sql").read_bytes()


# Two locks: a dump reads the tables by another session, and only after it nobody else may.
_AGAINST_WRITERS = sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE")
_AGAINST_ALL = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE")
_BRIEFLY = "SELECT set_config('lock_timeout', '1s', true)"


async def _lock(conn: Connection, statement: sql.SQL) -> None:
    await conn.execute(_BRIEFLY)
    tables = [sql.Identifier("mcp_memory", table) for table in await schema.tables(conn)]
    await conn.execute(statement.format(sql.SQL(", ").join(tables)))


# Whose login is ours, owns the schema or may take the application's role; superusers may take any
# role, and are counted only as one of these. Who waits to migrate uses nothing.
_SESSIONS = """
SELECT format('session %%s (login %%s, application %%s, from %%s)', a.pid, a.usename,
              coalesce(nullif(a.application_name, ''), 'unknown'),
              coalesce(host(a.client_addr), 'this machine'))
FROM pg_stat_activity a
JOIN pg_roles r ON r.oid = a.usesysid
WHERE a.datname = current_database() AND a.pid <> pg_backend_pid()
  AND (r.rolname IN (session_user, current_user)
       OR (NOT r.rolsuper AND EXISTS (
           SELECT FROM pg_roles app
           WHERE app.rolname = %(app)s AND pg_has_role(r.oid, app.oid, 'MEMBER')
       )))
  AND NOT EXISTS (
      SELECT FROM pg_locks l
      WHERE l.pid = a.pid AND l.locktype = 'advisory' AND l.objsubid = 1
        AND (l.classid::bigint << 32) | l.objid::bigint = %(waiting)s
  )
ORDER BY a.pid
"""


async def other_sessions(conn: Connection, roles: Roles) -> list[str]:
    """Who else uses the database as one of the application's roles, described."""
    parameters: dict[str, object] = {"app": roles.app, "waiting": migrate.WAITING_KEY}
    rows = await (await conn.execute(_SESSIONS, parameters)).fetchall()
    return [str(row[0]) for row in rows]
