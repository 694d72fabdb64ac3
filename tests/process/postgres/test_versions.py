"""The schema on each PostgreSQL that we support: made, taken over, lived in with its tools."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql

from mcp_memory.app import open_app
from mcp_memory.postgres import migrate, provision
from mcp_memory.postgres.addresses import database_in, with_database
from mcp_memory.postgres.migrate import list_shipped, newest
from tests.fixtures.calls import Facts, ask, client_of, paths, rows
from tests.fixtures.legacy import make_legacy_database
from tests.fixtures.mail import config_at
from tests.fixtures.postgres import drop_all
from tests.fixtures.schemas import schema_of, without_indexes_of_spaces
from tests.fixtures.versions import PostgresServer

pytestmark = pytest.mark.slow


@pytest.fixture
def url(postgres_server: PostgresServer) -> Iterator[str]:
    """The URL of a database that is not there yet."""
    address = with_database(postgres_server.url, f"t_{uuid.uuid4().hex[:12]}")
    yield address
    drop_all(postgres_server.url, database_in(address))


async def test_a_named_database_keeps_documents_facts_and_mail(
    url: str, postgres_server: PostgresServer
) -> None:
    async with (
        open_app(config_at(url)) as app,
        client_of(app, "alice") as alice,
        client_of(app, "bob") as bob,
    ):
        await ask(alice, "memory_register_database", name="life")
        await ask(alice, "memory_set_default_database", name="life")
        await ask(alice, "memory_write", path="a.md", content="the marmalade is on the shelf")
        await ask(alice, "memory_graph_store", content="Bob likes marmalade")
        passages = await ask(alice, "memory_search", query="marmalade", sources=["documents"])
        facts = await ask(alice, "memory_graph_recall", query="who likes marmalade")
        await ask(bob, "memory_message", action="inbox")
        await ask(alice, "memory_message", action="send", to="bob", content="the jar is empty")
        mail = await ask(bob, "memory_message", action="inbox")
        where = await ask(alice, "memory_current_database")

    assert paths(passages) == ["a.md"]
    assert _contents(facts, "memories") == ["Bob likes marmalade"]
    assert _contents(mail, "messages") == ["the jar is empty"]
    assert (where["name"], where["server_version"]) == ("life", postgres_server.version)


def _contents(answer: Facts, name: str) -> list[object]:
    return [row["content"] for row in rows(answer, name)]


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
