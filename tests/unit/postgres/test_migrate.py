"""Migrations: up, down and up again, one at a time, never half, never unnoticed."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import psycopg
import pytest
from psycopg import sql

from mcp_memory.config import Config
from mcp_memory.errors import DatabaseTooNew, MigrationChanged, MigrationFailed
from mcp_memory.postgres import migrate, provision
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.migrate import (
    Migration,
    list_functions,
    list_shipped,
    load,
    migrations_dir,
    newest,
)
from mcp_memory.postgres.provision import Layout
from mcp_memory.postgres.session import Database
from tests.fixtures.schemas import protection_of, schema_of

BROKEN = Migration(
    number=newest(list_shipped()) + 1,
    name="broken",
    up="CREATE TABLE half_done (id int); SELECT 1/0;",
    down="DROP TABLE half_done;",
    sha256="broken",
)


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Connection]:
    async with await provision.connect(database_url) as conn:
        yield conn


@pytest.fixture
async def layout(owner: Connection) -> Layout:
    return await provision.layout_for_migrating(owner, "main")


async def migrate_to(conn: Connection, layout: Layout, target: int) -> int:
    return await migrate.migrate(
        conn,
        layout.roles,
        layout.search_path,
        name="main",
        migrations=list_shipped(),
        target=target,
    )


@pytest.mark.parametrize("target", [0, *(step.number for step in list_shipped()[:-1])])
async def test_down_then_up_gives_the_same_schema(
    owner: Connection, layout: Layout, target: int
) -> None:
    before = await schema_of(owner)

    await migrate_to(owner, layout, target)
    assert await schema_of(owner) != before
    await migrate_to(owner, layout, newest(list_shipped()))

    assert await schema_of(owner) == before


async def test_all_the_way_down_leaves_only_the_history(owner: Connection, layout: Layout) -> None:
    await migrate_to(owner, layout, 0)

    rows = await schema_of(owner)
    left = {str(row[1]).removeprefix("mcp_memory.") for row in rows if row[0] != "index"}
    assert left == {"functions", "migrations"}
    assert await migrate.list_applied(owner) == []


async def test_coming_up_step_by_step_gives_what_a_fresh_database_has(
    owner: Connection, layout: Layout
) -> None:
    fresh = await schema_of(owner), await protection_of(owner)
    await migrate_to(owner, layout, 0)

    for step in list_shipped():
        await migrate_to(owner, layout, step.number)

    assert (await schema_of(owner), await protection_of(owner)) == fresh


async def test_a_function_that_has_changed_is_applied_again(
    owner: Connection, database_url: str
) -> None:
    before = await schema_of(owner)
    await owner.execute("UPDATE mcp_memory.functions SET sha256 = 'old' WHERE name = 'as_query'")
    await owner.execute(
        "CREATE OR REPLACE FUNCTION mcp_memory.as_query(wanted text[]) RETURNS tsquery"
        " LANGUAGE sql AS 'SELECT NULL::tsquery'"
    )

    async with await provision.connect(database_url) as conn:
        await provision.prepare(conn, "main")

    assert await schema_of(owner) == before
    recorded = await owner.execute("SELECT name, sha256 FROM mcp_memory.functions ORDER BY name")
    assert await recorded.fetchall() == [(f.name, f.sha256) for f in list_functions()]


async def test_every_function_has_a_valid_body(owner: Connection, layout: Layout) -> None:
    """They are applied unchecked, in any order; with all of them there each can be checked."""
    async with owner.transaction():
        await migrate.enter_as_owner(owner, layout.roles, layout.search_path)
        for function in list_functions():
            await owner.execute(function.text.encode())


_SQL_BODIES_OF_ROWS = """
SELECT p.oid::regprocedure::text
FROM pg_proc p
WHERE p.pronamespace = 'mcp_memory'::regnamespace AND p.prosqlbody IS NOT NULL
  AND EXISTS (
      SELECT FROM unnest(p.proargtypes) a (oid)
      JOIN pg_type t ON t.oid = a.oid
      WHERE t.typrelid <> 0
  )
"""


async def test_no_function_reads_a_row_in_an_unquoted_body(owner: Connection) -> None:
    """From November 2026 on servers refuse to add a column to the table of such a row."""
    assert await (await owner.execute(_SQL_BODIES_OF_ROWS)).fetchall() == []


@pytest.mark.parametrize("file", sorted(migrations_dir().rglob("*.sql")), ids=lambda p: p.stem)
def test_no_file_has_an_unquoted_body(file: Path) -> None:
    text = re.sub(r"--[^\n]*|\$(\w*)\$.*?\$\1\$", "", file.read_text("utf-8"), flags=re.DOTALL)
    assert not re.search(r"^\s*RETURN\b|\bBEGIN\s+ATOMIC\b", text, re.MULTILINE | re.IGNORECASE)


def test_each_function_has_a_file_of_its_name() -> None:
    for function in list_functions():
        names = re.findall(r"^CREATE OR REPLACE FUNCTION (\w+)\(", function.text, re.MULTILINE)
        assert names == [function.name]
        assert function.after in {step.number for step in list_shipped()}


async def test_a_step_that_fails_leaves_the_database_as_it_was(
    owner: Connection, layout: Layout
) -> None:
    before = await schema_of(owner)

    with pytest.raises(MigrationFailed) as caught:
        await migrate.migrate(
            owner,
            layout.roles,
            layout.search_path,
            name="main",
            migrations=(*list_shipped(), BROKEN),
        )

    assert caught.value.migration == BROKEN.label
    assert await schema_of(owner) == before
    assert [done.number for done in await migrate.list_applied(owner)] == [
        m.number for m in list_shipped()
    ]


async def test_a_changed_file_is_refused(owner: Connection, config: Config) -> None:
    await owner.execute("UPDATE mcp_memory.migrations SET sha256 = 'other' WHERE number = 20")
    databases = Databases(config)

    with pytest.raises(MigrationChanged) as caught:
        await databases.writing(None, "alice")
    await databases.close()

    assert caught.value.migration == "0020_core"


async def test_an_older_version_stops_at_a_newer_schema(owner: Connection, config: Config) -> None:
    newer = newest(list_shipped()) + 1
    await owner.execute(
        "INSERT INTO mcp_memory.migrations (number, name, sha256) VALUES (%s, 'later', 'x')",
        [newer],
    )
    databases = Databases(config)

    with pytest.raises(DatabaseTooNew) as caught:
        await databases.writing(None, "alice")
    await databases.close()

    assert (caught.value.found, caught.value.known) == (newer, newest(list_shipped()))


async def test_a_process_whose_tables_a_newer_version_renamed_says_upgrade(
    owner: Connection, db: Database
) -> None:
    newer = newest(list_shipped()) + 1
    await owner.execute("ALTER TABLE mcp_memory.vectors RENAME TO embeddings")
    await owner.execute(
        "INSERT INTO mcp_memory.migrations (number, name, sha256) VALUES (%s, 'later', 'x')",
        [newer],
    )

    with pytest.raises(DatabaseTooNew) as caught:
        async with db.reading("alice") as conn:
            await conn.execute("SELECT count(*) FROM vectors")

    assert caught.value.found == newer


async def test_two_that_migrate_at_once_take_turns(
    empty_database_url: str, server_url: str
) -> None:
    name = empty_database_url.rpartition("/")[2].partition("?")[0]
    with psycopg.connect(server_url, autocommit=True) as conn:
        conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    async def prepare() -> None:
        async with await provision.connect(empty_database_url) as conn:
            await provision.prepare(conn, "main")

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(prepare)

    async with await provision.connect(empty_database_url) as conn:
        assert len(await migrate.list_applied(conn)) == len(list_shipped())


async def test_a_migration_outside_a_transaction_may_build_an_index_concurrently(
    owner: Connection, layout: Layout
) -> None:
    step = Migration(
        number=newest(list_shipped()) + 1,
        name="index",
        up="-- no-transaction\nCREATE INDEX CONCURRENTLY chunks_tokens ON chunks (tokens);\n",
        down="DROP INDEX chunks_tokens;",
        sha256="index",
    )
    known = (*list_shipped(), step)

    await migrate.migrate(owner, layout.roles, layout.search_path, name="main", migrations=known)

    found = await owner.execute("SELECT to_regclass('mcp_memory.chunks_tokens') IS NOT NULL")
    assert await found.fetchone() == (True,)


def test_a_missing_number_is_refused(tmp_path: Path) -> None:
    for file in ("0001_a.up.sql", "0001_a.down.sql", "0003_c.up.sql", "0003_c.down.sql"):
        (tmp_path / file).write_text("SELECT 1;", "utf-8")

    with pytest.raises(MigrationFailed) as caught:
        load(tmp_path)

    assert caught.value.migration == "0003_c"
