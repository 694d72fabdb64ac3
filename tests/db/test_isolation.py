"""Row-level security: held by the database, also when our own WHERE clauses are gone."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from psycopg import sql

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.db.cancellation import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.names import with_database
from mcp_memory.documents.models import WriteDocument
from mcp_memory.recall.models import SearchRequest

SECRET = WriteDocument("diary.md", "alice keeps a marmalade secret", tags=["private"])
NOTICE = WriteDocument("notice.md", "the marmalade notice is for everyone", shared=True)


async def rows(conn: Connection, statement: sql.Composed) -> list[tuple[object, ...]]:
    return await (await conn.execute(statement)).fetchall()


TABLES = """
SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY 1
"""

# What holds no rows of agents: the history, and the list of what is protected.
OPEN_TABLES = {"migrations", "protected_tables"}

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

    assert await db.maintain(unprotected) == OPEN_TABLES


async def test_no_function_of_the_owner_is_without_its_predicate(db: Database) -> None:
    async def unguarded(conn: Connection) -> list[tuple[object, ...]]:
        found = await conn.execute(UNGUARDED_DEFINERS, {"app": db.layout.roles.app})
        return await found.fetchall()

    assert await db.maintain(unguarded) == []


async def test_the_application_role_owns_nothing_and_cannot_step_out(db: Database) -> None:
    async def powers(conn: Connection) -> tuple[object, ...] | None:
        found = await conn.execute(
            "SELECT rolsuper, rolbypassrls, rolcanlogin, rolcreaterole,"
            " EXISTS (SELECT FROM pg_class WHERE relowner = r.oid)"
            " FROM pg_roles r WHERE rolname = current_user"
        )
        return await found.fetchone()

    assert await db.read("alice", powers) == (False, False, False, False, False)


async def all_rows_of_every_table(conn: Connection) -> str:
    """What one sees who asks for everything, without any WHERE of ours."""
    tables = [str(row[0]) for row in await (await conn.execute(TABLES)).fetchall()]
    seen: list[str] = []
    for table in set(tables) - OPEN_TABLES:
        statement = sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(table))
        seen += [str(row[0]) for row in await rows(conn, statement)]
    return "\n".join(seen)


async def test_without_our_where_clauses_nothing_private_shows(app: App) -> None:
    await app.documents.write("alice", SECRET)
    await app.documents.write("alice", NOTICE)
    database = await app.databases.reading(None, "bob")

    seen = await database.read("bob", all_rows_of_every_table)

    assert "marmalade notice" in seen
    assert "secret" not in seen
    assert "diary" not in seen


async def test_without_an_identity_nothing_shows_at_all(app: App) -> None:
    await app.documents.write("alice", NOTICE)
    database = await app.databases.reading(None, "bob")

    assert await database.read("", all_rows_of_every_table) == ""


async def test_nobody_writes_anothers_rows_even_where_ours_forgets_to_ask(app: App) -> None:
    await app.documents.write("alice", SECRET)
    await app.documents.write("alice", NOTICE)
    database = await app.databases.writing(None, "bob")

    async def vandalise(conn: Connection) -> tuple[int, int]:
        changed = await conn.execute("UPDATE documents SET title = 'mine'")
        removed = await conn.execute("DELETE FROM chunks")
        return changed.rowcount, removed.rowcount

    assert await database.write("bob", vandalise) == (0, 0)


async def test_nobody_adds_rows_in_anothers_name(app: App) -> None:
    database = await app.databases.writing(None, "bob")

    async def forge(conn: Connection) -> None:
        await conn.execute(
            "INSERT INTO audit_log (agent_id, action, kind, object_id)"
            " VALUES ('alice', 'write', 'document', '1')"
        )

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await database.write("bob", forge)


@pytest.fixture
def plain_login(server_url: str, database_url: str) -> Iterator[str]:
    """The URL of an empty database whose owner is neither superuser nor CREATEROLE."""
    name = database_url.rpartition("/")[2].partition("?")[0] + "_plain"
    identifier = sql.Identifier(name)
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(identifier))
        conn.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' OWNER {}").format(
                identifier, identifier
            )
        )
    with psycopg.connect(with_database(server_url, name), autocommit=True) as conn:
        conn.execute("CREATE EXTENSION vector")
    separator = "&" if "?" in server_url else "?"
    url = with_database(server_url, name)
    # The session becomes the plain login at once, as if it had logged in as that.
    yield f"{url}{separator}options=-c%20role%3D{name}"
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(identifier))
        conn.execute(sql.SQL("DROP ROLE {}").format(identifier))


@pytest.fixture
async def plain_app(plain_login: str) -> AsyncIterator[App]:
    async with open_app(Config.model_validate({"database": {"url": plain_login}})) as opened:
        yield opened


async def test_a_login_that_can_create_no_roles_is_held_by_the_policies_itself(
    plain_app: App,
) -> None:
    await plain_app.documents.write("alice", SECRET)
    await plain_app.documents.write("alice", NOTICE)
    database = await plain_app.databases.reading(None, "bob")

    assert not database.layout.roles.are_separate
    seen = await database.read("bob", all_rows_of_every_table)
    assert "marmalade notice" in seen
    assert "secret" not in seen
    answer = await plain_app.recall.search("bob", SearchRequest("marmalade", min_score=0.0))
    assert [result.path for result in answer.results] == ["notice.md"]
