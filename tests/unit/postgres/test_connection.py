"""A cancelled call costs no connection and leaves no query running."""

import anyio
import psycopg
import pytest

from mcp_memory.errors import DatabaseBusy
from mcp_memory.postgres import provision
from mcp_memory.postgres.connection import Connection, claim
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database
from tests.fixtures.postgres import MakeConfig

RUNNING = """
SELECT count(*)
FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%pg_sleep%' AND state = 'active'
  AND pid <> pg_backend_pid()
"""


async def backend(conn: Connection) -> int:
    return conn.info.backend_pid


async def sleep(conn: Connection) -> None:
    await conn.execute("SELECT pg_sleep(60)")


async def running(conn: Connection) -> int:
    row = await (await conn.execute(RUNNING)).fetchone()
    assert row is not None
    return int(row[0])


async def read_asleep(db: Database) -> None:
    async with db.reading("alice") as conn:
        await sleep(conn)


async def until_running(owner: Connection, wanted: int) -> None:
    with anyio.fail_after(10):
        while await running(owner) != wanted:  # noqa: ASYNC110 - the server must be asked
            await anyio.sleep(0.01)


async def test_cancelling_a_call_ends_its_query_on_the_server(
    db: Database, database_url: str
) -> None:
    async with await provision.connect(database_url) as owner:
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(read_asleep, db)
            await until_running(owner, 3)
            tasks.cancel_scope.cancel()

        assert await running(owner) == 0


async def test_cancelling_a_call_loses_no_connection(make_config: MakeConfig) -> None:
    url = make_config().database.url
    assert url is not None
    databases = Databases(make_config(database={"url": url.reveal(), "pool": {"min": 0, "max": 1}}))
    db = await databases.writing(None, "alice")
    async with db.reading("alice") as conn:
        before = await backend(conn)
    started = anyio.Event()

    async def announce_and_sleep() -> None:
        async with db.reading("alice") as conn:
            started.set()
            await sleep(conn)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(announce_and_sleep)
        await started.wait()
        tasks.cancel_scope.cancel()

    async with db.reading("alice") as conn:
        assert await backend(conn) == before
    await databases.close()


async def test_a_cancelled_write_is_rolled_back(db: Database) -> None:
    added = anyio.Event()

    async def add_and_sleep() -> None:
        async with db.writing("alice") as conn:
            await conn.execute(
                "INSERT INTO audit_log (agent_id, action, kind, object_id)"
                " VALUES ('alice', 'write', 'document', '1')"
            )
            added.set()
            await sleep(conn)

    async def count(conn: Connection) -> int:
        row = await (await conn.execute("SELECT count(*) FROM audit_log")).fetchone()
        assert row is not None
        return int(row[0])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(add_and_sleep)
        await added.wait()
        tasks.cancel_scope.cancel()

    async with db.maintaining() as conn:
        assert await count(conn) == 0


async def test_a_statement_that_takes_too_long_is_ended(make_config: MakeConfig) -> None:
    databases = Databases(make_config(limits={"statement_timeout_seconds": 0.1}))
    db = await databases.writing(None, "alice")

    with pytest.raises(DatabaseBusy):
        async with db.reading("alice") as conn:
            await sleep(conn)
    await databases.close()


async def test_a_read_cannot_write(db: Database) -> None:
    async def write(conn: Connection) -> None:
        await conn.execute("DELETE FROM chunks")

    with pytest.raises(Exception) as caught:
        async with db.reading("alice") as conn:
            await write(conn)

    assert isinstance(caught.value.__cause__, psycopg.errors.ReadOnlySqlTransaction)


async def test_a_claim_that_comes_too_late_is_given_back() -> None:
    asked, given_back = anyio.Event(), list[str]()

    async def take() -> str:
        asked.set()
        try:
            await anyio.Event().wait()
        except anyio.get_cancelled_exc_class():
            # As a pool that had just assigned its connection.
            return "connection"
        return "never"

    async def give_back(connection: str) -> None:
        given_back.append(connection)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(claim, take, give_back)
        await asked.wait()
        tasks.cancel_scope.cancel()

    assert given_back == ["connection"]
