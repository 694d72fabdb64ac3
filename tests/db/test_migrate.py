"""Migrations: up, down and up again, one at a time, never half, never unnoticed."""

from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import psycopg
import pytest
from psycopg import sql

from mcp_memory.config import Config
from mcp_memory.db import migrate, provision
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.db.migrate import Migration, load, shipped
from mcp_memory.db.provision import Layout
from mcp_memory.errors import DatabaseTooNew, MigrationChanged, MigrationFailed
from tests.db.schemas import schema_of

BROKEN = Migration(
    number=len(shipped()) + 1,
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
        conn, layout.roles, layout.search_path, name="main", known=shipped(), target=target
    )


@pytest.mark.parametrize("target", range(len(shipped())))
async def test_down_then_up_gives_the_same_schema(
    owner: Connection, layout: Layout, target: int
) -> None:
    before = await schema_of(owner)

    await migrate_to(owner, layout, target)
    assert await schema_of(owner) != before
    await migrate_to(owner, layout, len(shipped()))

    assert await schema_of(owner) == before


async def test_all_the_way_down_leaves_only_the_history(owner: Connection, layout: Layout) -> None:
    await migrate_to(owner, layout, 0)

    left = {str(row[1]).removeprefix("mcp_memory.") for row in await schema_of(owner)}
    assert left == {"migrations", "migrations_pkey"}
    assert await migrate.applied(owner) == []


async def test_a_step_that_fails_leaves_the_database_as_it_was(
    owner: Connection, layout: Layout
) -> None:
    before = await schema_of(owner)

    with pytest.raises(MigrationFailed) as caught:
        await migrate.migrate(
            owner, layout.roles, layout.search_path, name="main", known=(*shipped(), BROKEN)
        )

    assert caught.value.migration == BROKEN.label
    assert await schema_of(owner) == before
    assert [done.number for done in await migrate.applied(owner)] == [m.number for m in shipped()]


async def test_a_changed_file_is_refused(owner: Connection, config: Config) -> None:
    await owner.execute("UPDATE mcp_memory.migrations SET sha256 = 'other' WHERE number = 1")
    databases = Databases(config)

    with pytest.raises(MigrationChanged) as caught:
        await databases.writing(None, "alice")
    await databases.close()

    assert caught.value.migration == "0001_core"


async def test_an_older_version_stops_at_a_newer_schema(owner: Connection, config: Config) -> None:
    newer = len(shipped()) + 1
    await owner.execute(
        "INSERT INTO mcp_memory.migrations (number, name, sha256) VALUES (%s, 'later', 'x')",
        [newer],
    )
    databases = Databases(config)

    with pytest.raises(DatabaseTooNew) as caught:
        await databases.writing(None, "alice")
    await databases.close()

    assert (caught.value.found, caught.value.known) == (newer, len(shipped()))


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
        assert len(await migrate.applied(conn)) == len(shipped())


async def test_a_migration_outside_a_transaction_may_build_an_index_concurrently(
    owner: Connection, layout: Layout
) -> None:
    step = Migration(
        number=len(shipped()) + 1,
        name="index",
        up="-- no-transaction\nCREATE INDEX CONCURRENTLY chunks_tokens ON chunks (tokens);\n",
        down="DROP INDEX chunks_tokens;",
        sha256="index",
    )
    known = (*shipped(), step)

    await migrate.migrate(owner, layout.roles, layout.search_path, name="main", known=known)

    found = await owner.execute("SELECT to_regclass('mcp_memory.chunks_tokens') IS NOT NULL")
    assert await found.fetchone() == (True,)


def test_a_missing_number_is_refused(tmp_path: Path) -> None:
    for file in ("0001_a.up.sql", "0001_a.down.sql", "0003_c.up.sql", "0003_c.down.sql"):
        (tmp_path / file).write_text("SELECT 1;", "utf-8")

    with pytest.raises(MigrationFailed) as caught:
        load(tmp_path)

    assert caught.value.migration == "0003_c"
