"""The schema on each PostgreSQL that we support: made, taken over, written in and searched."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres import migrate, provision
from mcp_memory.postgres.addresses import database_in, with_database
from mcp_memory.postgres.migrate import list_shipped, newest
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.legacy import make_legacy_database
from tests.fixtures.schemas import schema_of, without_indexes_of_spaces
from tests.fixtures.versions import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database that is not there yet."""
    address = with_database(postgres_server.url, f"t_{uuid.uuid4().hex[:12]}")
    yield address
    name = sql.Identifier(database_in(address))
    with psycopg.connect(postgres_server.url, autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


async def test_a_fresh_database_is_written_in_and_searched(
    url: str, postgres_server: PostgresServer
) -> None:
    config = Config.model_validate(
        {"database": {"url": url}, "embeddings": {"provider": "hashing"}}
    )
    async with open_app(config) as app:
        session = app.session("alice")
        await app.documents.write(session, WriteDocument("a.md", "the marmalade is on the shelf"))
        answer = await app.search.passages(session, SearchRequest("marmalade"))
        database = await app.databases.reading(None, "alice")

    assert [passage.path for passage in answer.results] == ["a.md"]
    assert database.layout.server_version == postgres_server.version


async def test_a_column_is_added_to_every_table(url: str, postgres_server: PostgresServer) -> None:
    """What PostgreSQL of November 2026 refused while a function read the table's row."""
    create = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8'")
    with psycopg.connect(postgres_server.url, autocommit=True) as conn:
        conn.execute(create.format(sql.Identifier(database_in(url))))
    async with await provision.connect(url) as conn:
        await provision.prepare(conn, "main")
        tables = await conn.execute(
            "SELECT relname::text FROM pg_class"
            " WHERE relnamespace = 'mcp_memory'::regnamespace AND relkind = 'r'"
        )
        for (table,) in await tables.fetchall():
            add = sql.SQL("ALTER TABLE {} ADD COLUMN extra int NOT NULL DEFAULT 0")
            await conn.execute(add.format(sql.Identifier("mcp_memory", str(table))))


async def test_one_of_the_unreleased_build_becomes_the_same_as_a_fresh_one(
    url: str, postgres_server: PostgresServer
) -> None:
    await make_legacy_database(url, postgres_server.url)
    async with await provision.connect(url) as conn:
        layout = await provision.layout_for_migrating(conn, "main")
        await provision.take_over(conn, layout, "main", None)
        taken = without_indexes_of_spaces(await schema_of(conn))
        await migrate.migrate(
            conn, layout.roles, layout.search_path, name="main", migrations=list_shipped(), target=0
        )
        await migrate.migrate(
            conn, layout.roles, layout.search_path, name="main", migrations=list_shipped()
        )
        assert set(await schema_of(conn)) == taken
        assert (await migrate.list_applied(conn))[-1].number == newest(list_shipped())
