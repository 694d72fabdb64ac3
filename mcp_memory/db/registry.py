"""Databases registered with an address of their own, kept in the default database when asked."""

from dataclasses import dataclass

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.errors import Conflict


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
