"""Row-level security: held by the database, also when our own WHERE clauses are gone."""

import psycopg
import pytest

from mcp_memory.app import App
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Database
from tests.fixtures.tables import NOTICE, OPEN_TABLES, SECRET, all_rows_of_every_table

UNPROTECTED = """
SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT (c.relrowsecurity AND c.relforcerowsecurity
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = 'r')
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = 'a')
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = 'w')
           AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = 'd'))
"""

# A function that runs as the owner sees every row: where agents may call it, it must say itself
# which ones are visible.
UNGUARDED_DEFINERS = """
SELECT p.proname::text
FROM pg_proc p
WHERE p.pronamespace = 'mcp_memory'::regnamespace AND p.prosecdef
  AND has_function_privilege(%(app)s, p.oid, 'EXECUTE') AND p.prorettype <> 'trigger'::regtype
  AND NOT (p.prosrc ~ 'visible\\(|admits\\(' AND p.proconfig::text LIKE '%%search_path%%')
"""


async def test_no_table_is_without_its_policies(db: Database) -> None:
    async def unprotected(conn: Connection) -> set[str]:
        return {str(row[0]) for row in await (await conn.execute(UNPROTECTED)).fetchall()}

    async with db.maintaining() as conn:
        assert await unprotected(conn) == OPEN_TABLES


async def test_no_function_of_the_owner_is_without_its_predicate(db: Database) -> None:
    async def unguarded(conn: Connection) -> list[tuple[object, ...]]:
        found = await conn.execute(UNGUARDED_DEFINERS, {"app": db.layout.roles.app})
        return await found.fetchall()

    async with db.maintaining() as conn:
        assert await unguarded(conn) == []


async def test_the_application_role_owns_nothing_and_cannot_step_out(db: Database) -> None:
    async def powers(conn: Connection) -> tuple[object, ...] | None:
        found = await conn.execute(
            "SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,"
            " EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)"
            " FROM pg_roles r WHERE rolname = current_user"
        )
        return await found.fetchone()

    async with db.reading("alice") as conn:
        assert await powers(conn) == (False, False, False, False, False)


async def test_without_our_where_clauses_nothing_private_shows(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.reading(None, "bob")

    async with database.reading("bob") as conn:
        seen = await all_rows_of_every_table(conn)

    assert "marmalade notice" in seen
    assert "secret" not in seen
    assert "diary" not in seen


async def test_without_an_identity_nothing_shows_at_all(app: App) -> None:
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.reading(None, "bob")

    async with database.reading("") as conn:
        assert await all_rows_of_every_table(conn) == ""


async def test_nobody_writes_anothers_rows_even_where_ours_forgets_to_ask(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.writing(None, "bob")

    async def vandalise(conn: Connection) -> tuple[int, int]:
        changed = await conn.execute("UPDATE documents SET title = 'mine'")
        removed = await conn.execute("DELETE FROM chunks")
        return changed.rowcount, removed.rowcount

    async with database.writing("bob") as conn:
        assert await vandalise(conn) == (0, 0)


async def test_nobody_adds_rows_in_anothers_name(app: App) -> None:
    database = await app.databases.writing(None, "bob")

    async def forge(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO audit_log (agent_id, action, kind, object_id)"
            " VALUES ('alice', 'write', 'document', '1')"
        )

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.writing("bob") as conn:
            await forge(conn)
