"""What a server holds: its databases, which of them are ours, and creating one more.

A database made here carries a comment, `mcp-memory: <base>/<name>`, which every login can read
without entering it. So `acme` + `life_x` and `acme_life` + `x`, which PostgreSQL calls by one name,
are never mistaken for one another.
"""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mcp_memory.errors import Conflict, DatabaseUnavailable
from mcp_memory.postgres.addresses import database_in, with_database
from mcp_memory.postgres.connection import Connection, may_be_the_database
from mcp_memory.postgres.provision import connect

_MARK = "mcp-memory: "
_MAINTENANCE_DATABASES = ("postgres", "template1")


Status = Literal["ready", "not created", "unavailable"]


@dataclass(frozen=True, slots=True)
class DatabaseEntry:
    """A database as a list shows it, its password masked; `problem` says why it is unavailable."""

    name: str
    url: str
    status: Status
    embedded: bool
    size_bytes: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """Of which base a database is which name."""

    base: str
    name: str

    def __str__(self) -> str:
        return f"{_MARK}{self.base}/{self.name}"


@asynccontextmanager
async def server_connection(url: str) -> AsyncGenerator[Connection]:
    """A connection to the server of `url`: in its own database if that is there."""
    problem: psycopg.OperationalError | None = None
    for database in (database_in(url), *_MAINTENANCE_DATABASES):
        try:
            conn = await connect(with_database(url, database))
        except psycopg.OperationalError as exc:
            problem = problem or exc
            if may_be_the_database(exc):
                continue
            break
        async with conn:
            yield conn
        return
    assert problem is not None
    raise problem


_FIND = """
SELECT shobj_description(oid, 'pg_database')
FROM pg_database
WHERE datname = %(database)s
"""


async def find(conn: Connection, database: str) -> tuple[bool, Mark | None]:
    """Whether the server has the database, and the mark it carries."""
    row = await (await conn.execute(_FIND, {"database": database})).fetchone()
    return row is not None, _parse_mark(row[0] if row else None)


def _parse_mark(comment: str | None) -> Mark | None:
    if comment is None or not comment.startswith(_MARK):
        return None
    base, _, name = comment.removeprefix(_MARK).rpartition("/")
    return Mark(base, name)


@dataclass(frozen=True, slots=True)
class _MarkRow:
    comment: str


# A database made at an address of its own carries a mark too, but its name is not the derived one.
_MARKED = """
SELECT d.comment
FROM (SELECT datname, shobj_description(oid, 'pg_database') AS comment FROM pg_database) d
WHERE starts_with(d.comment, %(prefix)s)
  AND d.datname::text IN (%(base)s, %(base)s || '_' || substr(d.comment, length(%(prefix)s) + 1))
"""


async def names_of_base(conn: Connection, base: str) -> list[str]:
    """The names that were derived from this base and exist on the server, sorted."""
    async with conn.cursor(row_factory=class_row(_MarkRow)) as cursor:
        result = await cursor.execute(_MARKED, {"prefix": f"{_MARK}{base}/", "base": base})
        rows = await result.fetchall()
    marks = [_parse_mark(row.comment) for row in rows]
    return sorted(mark.name for mark in marks if mark is not None and mark.base == base)


# Who may not install pgvector can have it only from a template that an administrator prepared.
_TEMPLATES = """
SELECT CASE
           WHEN rolsuper OR EXISTS (
               SELECT
               FROM pg_available_extension_versions
               WHERE name = 'vector' AND (trusted OR NOT superuser)
           ) THEN ARRAY['template0']
           ELSE ARRAY['template1', 'template0']
       END
FROM pg_roles
WHERE rolname = current_user
"""


async def create(conn: Connection, database: str, mark: Mark) -> None:
    """Create the database and mark it; nothing happens when another process was quicker."""
    row = await (await conn.execute(_TEMPLATES)).fetchone()
    try:
        await _create_from([str(name) for name in row[0]] if row else [], conn, database)
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return
    except psycopg.errors.InsufficientPrivilege as exc:
        raise DatabaseUnavailable(
            mark.name, f"the login may not create the database {database!r} on its server"
        ) from exc
    except psycopg.errors.InvalidParameterValue as exc:
        raise DatabaseUnavailable(
            mark.name, f"the server's locale does not allow {database!r} to be made in UTF8"
        ) from exc
    await _comment(conn, database, mark)


async def _create_from(templates: Sequence[str], conn: Connection, database: str) -> None:
    """Create it from the first template that UTF8 agrees with."""
    statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} ENCODING 'UTF8'")
    for template in templates:
        try:
            names = (sql.Identifier(database), sql.Identifier(template))
            await conn.execute(statement.format(*names))
        except psycopg.errors.InvalidParameterValue:
            if template == templates[-1]:
                raise
        else:
            return


async def _comment(conn: Connection, database: str, mark: Mark) -> None:
    statement = sql.SQL("COMMENT ON DATABASE {} IS {}")
    # Another process may be writing the same comment.
    with suppress(psycopg.errors.UniqueViolation, psycopg.errors.InternalError_):
        await conn.execute(statement.format(sql.Identifier(database), sql.Literal(str(mark))))


_ADOPTABLE = """
SELECT
FROM pg_database
WHERE datname = %(database)s
  AND pg_has_role(datdba, 'USAGE')
  AND shobj_description(oid, 'pg_database') IS NULL
"""


async def adopt(conn: Connection, database: str, mark: Mark) -> None:
    """Mark a database that somebody made for us, when it is ours and says nothing else."""
    result = await conn.execute(_ADOPTABLE, {"database": database})
    if await result.fetchone() is not None:
        await _comment(conn, database, mark)


async def drop(conn: Connection, database: str) -> None:
    """Drop the database with everything in it, ending whoever is connected."""
    await conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(database)))


async def size_bytes(conn: Connection, database: str) -> int:
    """The room the database takes on disk; 0 when the login may not know."""
    try:
        row = await (
            await conn.execute("SELECT pg_database_size(%(name)s::name)", {"name": database})
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return 0
    return int(row[0]) if row else 0


def beside(url: str) -> str:
    """The same server, entered by a maintenance database instead of this one."""
    return with_database(url, _MAINTENANCE_DATABASES[0])


@dataclass(frozen=True, slots=True)
class Registration:
    """A name and the address it was given; the address may hold a password."""

    name: str
    url: str


_REGISTRATIONS = """
SELECT name, url
FROM registered_databases
ORDER BY name
"""


async def registrations(conn: Connection) -> list[Registration]:
    """Every kept registration; for the worker alone."""
    async with conn.cursor(row_factory=class_row(Registration)) as cursor:
        return await (await cursor.execute(_REGISTRATIONS)).fetchall()


# The update changes nothing but finds the row: a name keeps the address it has.
_KEEP = """
INSERT INTO registered_databases (name, url, registered_by)
VALUES (%(name)s, %(url)s, %(agent)s)
ON CONFLICT (name) DO UPDATE SET url = excluded.url
WHERE registered_databases.url = excluded.url
RETURNING name
"""


async def keep(conn: Connection, entry: Registration, agent: str) -> None:
    """Keep the registration for every later process; for the worker alone."""
    parameters = {"name": entry.name, "url": entry.url, "agent": agent}
    row = await (await conn.execute(_KEEP, parameters)).fetchone()
    if row is None:
        raise Conflict(
            f"Database {entry.name!r} was just registered with another address."
            " Choose another name, or leave url out."
        )


async def forget(conn: Connection, name: str) -> None:
    """Keep it no longer."""
    await conn.execute("DELETE FROM registered_databases WHERE name = %(name)s", {"name": name})
