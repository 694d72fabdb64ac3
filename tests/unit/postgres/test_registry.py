"""Registrations: kept for every later process, one address a name, readable by no agent."""

import pytest

from mcp_memory.errors import Conflict
from mcp_memory.postgres import catalog
from mcp_memory.postgres.catalog import Registration
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Database

ARCHIVE = Registration("archive", "postgresql://me:hunter2@elsewhere/archive")
ELSEWHERE = Registration("archive", "postgresql://me:hunter2@nowhere/archive")


async def keep(db: Database, entry: Registration) -> None:
    async with db.maintaining() as conn:
        await catalog.keep(conn, entry, "alice")


async def test_a_registration_is_kept_until_it_is_forgotten(db: Database) -> None:
    await keep(db, ARCHIVE)
    async with db.maintaining() as conn:
        assert await catalog.registrations(conn) == [ARCHIVE]

    async with db.maintaining() as conn:
        await catalog.forget(conn, "archive")
    async with db.maintaining() as conn:
        assert await catalog.registrations(conn) == []


async def test_a_registration_may_be_repeated(db: Database) -> None:
    await keep(db, ARCHIVE)
    await keep(db, ARCHIVE)

    async with db.maintaining() as conn:
        assert await catalog.registrations(conn) == [ARCHIVE]


async def test_a_registration_never_moves_to_another_address(db: Database) -> None:
    await keep(db, ARCHIVE)

    with pytest.raises(Conflict) as caught:
        await keep(db, ELSEWHERE)

    assert "hunter2" not in str(caught.value)
    async with db.maintaining() as conn:
        assert await catalog.registrations(conn) == [ARCHIVE]


async def test_agents_do_not_see_addresses(db: Database) -> None:
    async def count(conn: Connection) -> object:
        return await (await conn.execute("SELECT count(*) FROM registered_databases")).fetchone()

    await keep(db, ARCHIVE)

    async with db.reading("alice") as conn:
        assert await count(conn) == (0,)
