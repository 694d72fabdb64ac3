"""Through PgBouncer in transaction mode: nothing of one transaction is left for the next."""

from collections.abc import AsyncIterator

import anyio
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.postgres import provision
from mcp_memory.postgres.addresses import options_in
from mcp_memory.postgres.connection import Connection
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.pooler import Pooler
from tests.fixtures.postgres_servers import ADMIN, TcpServer
from tests.fixtures.tables import NOTICE, SECRET, all_rows_of_every_table

# What a session would hand on: every setting that somebody changed in it.
LEFT_BEHIND = """
SELECT name, setting
FROM pg_settings
WHERE source = 'session' AND name NOT IN ('client_encoding', 'application_name')
UNION ALL
SELECT 'role', current_setting('role')
WHERE current_setting('role') <> 'none'
UNION ALL
SELECT 'agent', current_setting('mcp_memory.agent', true)
WHERE current_setting('mcp_memory.agent', true) <> ''
UNION ALL
SELECT 'prepared', statement
FROM pg_prepared_statements
"""


@pytest.fixture
async def app(pooler: Pooler, tcp_server: TcpServer, database_name: str) -> AsyncIterator[App]:
    database = {
        "url": pooler.url(ADMIN, database_name),
        "listen_url": tcp_server.url(ADMIN, database_name),
        "pool": {"min": 0, "max": 4},
    }
    async with open_app(Config.model_validate({"database": database})) as opened:
        yield opened


async def port_and_backend(conn: Connection) -> tuple[int, int]:
    row = await (await conn.execute("SELECT pg_backend_pid()")).fetchone()
    assert row is not None
    return conn.info.port, int(row[0])


async def test_callers_share_a_server_connection_and_see_their_own_rows(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.write(app.session("alice"), NOTICE)
    database = await app.databases.reading(None, "bob")
    seen: dict[str, list[str]] = {"alice": [], "bob": []}

    async def look(agent: str) -> None:
        for _ in range(20):
            async with database.reading(agent) as conn:
                seen[agent].append(await all_rows_of_every_table(conn))

    async with anyio.create_task_group() as tasks:
        for agent in seen:
            tasks.start_soon(look, agent)

    assert all("marmalade secret" in rows for rows in seen["alice"])
    assert all("marmalade notice" in rows for rows in seen["bob"])
    assert not any("secret" in rows for rows in seen["bob"])
    answer = await app.search.passages(
        app.session("bob"), SearchRequest("marmalade", min_score=0.0)
    )
    assert [result.path for result in answer.results] == ["notice.md"]


async def test_derived_databases_go_through_the_pooler_and_are_migrated_past_it(
    app: App, pooler: Pooler, tcp_server: TcpServer, database_name: str
) -> None:
    life = await app.databases.writing("life", "alice")

    async with life.reading("alice") as conn:
        assert (await port_and_backend(conn))[0] == pooler.port
    direct = options_in(life.address.direct_url)
    assert (direct["port"], direct["dbname"]) == (str(tcp_server.port), f"{database_name}_life")


async def test_no_setting_outlives_its_transaction(app: App, pooler: Pooler) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    database = await app.databases.reading(None, "alice")
    used: list[tuple[int, int]] = []
    for _ in range(10):
        async with database.reading("alice") as conn:
            used.append(await port_and_backend(conn))

    async with await provision.connect(database.address.url) as conn:
        row = await (await conn.execute("SELECT pg_backend_pid()")).fetchone()
        left = await (await conn.execute(LEFT_BEHIND)).fetchall()

    assert row is not None
    assert set(used) == {(pooler.port, row[0])}
    assert left == []
