"""Which tables have content, and which have rows though nobody has written yet."""

import psycopg
import pytest

from mcp_memory.postgres import migrate, provision, schema
from mcp_memory.postgres.connection import Connection
from tests.fixtures.tables import OPEN_TABLES

# A table that is not named here must say that it has content.
BOOKKEEPING = {"agents", "vector_spaces", "wake_leases", "word_changes", "word_counts"}

CONTENT = """
SELECT c.relname::text, t.has_content
FROM mcp_memory.protected_tables t
JOIN pg_class c ON c.oid = t.name
"""


async def enter(conn: Connection) -> None:
    """Let the open transaction be one of the schema's owner."""
    layout = await provision.layout_for_migrating(conn, "main")
    await migrate.enter_as_owner(conn, layout.roles, layout.search_path)


async def test_every_table_says_whether_it_has_content(database_url: str) -> None:
    async with await provision.connect(database_url) as conn, conn.transaction():
        await enter(conn)
        rows = await (await conn.execute(CONTENT)).fetchall()
        tables = set(await schema.tables(conn))
        bookkeeping = await schema.bookkeeping(conn)

    assert {name for name, _ in rows} == tables - OPEN_TABLES
    assert {name for name, has_content in rows if not has_content} == BOOKKEEPING
    assert bookkeeping == BOOKKEEPING | OPEN_TABLES


async def test_a_new_table_must_say_whether_it_has_content(database_url: str) -> None:
    async with await provision.connect(database_url) as conn:
        with pytest.raises(psycopg.errors.NotNullViolation, match="has_content"):
            async with conn.transaction():
                await enter(conn)
                await conn.execute("CREATE TABLE novelties (agent_id text, shared boolean)")
                await conn.execute("INSERT INTO protected_tables (name) VALUES ('novelties')")


async def test_a_database_older_than_the_column_has_the_same_bookkeeping(database_url: str) -> None:
    async with (
        await provision.connect(database_url) as conn,
        conn.transaction(force_rollback=True),
    ):
        await enter(conn)
        now = await schema.bookkeeping(conn)
        await conn.execute("ALTER TABLE protected_tables DROP COLUMN has_content")
        before = await schema.bookkeeping(conn)

    assert before == now
