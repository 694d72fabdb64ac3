"""A cancelled call behind PgBouncer in transaction mode, and where nobody answers a cancellation.

All callers share one connection to the server: a call that was not ended there would hold up all.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack

import anyio
import pytest

from mcp_memory.config import Config
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database
from tests.fixtures.cancel_requests import lossy_relay
from tests.fixtures.pooler import Pooler
from tests.fixtures.postgres_servers import ADMIN, TcpServer

RUNNING = """
SELECT count(*)
FROM pg_stat_activity
WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()
"""

OpenAt = Callable[[Pooler], Awaitable[Database]]


@pytest.fixture
async def open_at(tcp_server: TcpServer, database_name: str) -> AsyncIterator[OpenAt]:
    """Opens the database behind a pooler, with a pool of two connections."""
    opened: list[Databases] = []

    async def open_database(pooler: Pooler) -> Database:
        database = {
            "url": pooler.url(ADMIN, database_name),
            "listen_url": tcp_server.url(ADMIN, database_name),
            "pool": {"min": 0, "max": 2},
        }
        opened.append(Databases(Config.model_validate({"database": database})))
        return await opened[-1].writing(None, "alice")

    yield open_database
    for databases in opened:
        await databases.close()


@pytest.fixture
async def db(pooler: Pooler, open_at: OpenAt) -> Database:
    return await open_at(pooler)


async def own_connection(db: Database) -> int:
    """Which of our connections to the pooler is used: its key is the pooler's invention."""
    async with db.reading("alice") as conn:
        return conn.info.backend_pid


async def read_asleep(db: Database) -> None:
    async with db.reading("alice") as conn:
        await conn.execute("SELECT pg_sleep(60)")


async def until_running(server: TcpServer, wanted: int) -> None:
    with anyio.fail_after(20):
        while server.execute(RUNNING) != [(wanted,)]:  # noqa: ASYNC110 - the server must be asked
            await anyio.sleep(0.01)


async def test_a_cancelled_call_ends_its_query_and_keeps_its_connection(
    db: Database, tcp_server: TcpServer
) -> None:
    before = await own_connection(db)
    for _ in range(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_asleep, db)
            await until_running(tcp_server, 1)
            tasks.cancel_scope.cancel()
        assert tcp_server.execute(RUNNING) == [(0,)]
        assert await own_connection(db) == before


async def test_a_cancelled_call_in_the_poolers_queue_ends_nobody_elses_query(
    db: Database, pooler: Pooler, tcp_server: TcpServer, database_name: str
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read_asleep, db)
        await until_running(tcp_server, 1)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as queue:
                queue.start_soon(own_connection, db)
                while pooler.count_waiting(database_name) == 0:  # noqa: ASYNC110 - must be asked
                    await anyio.sleep(0.01)
                queue.cancel_scope.cancel()
        assert tcp_server.execute(RUNNING) == [(1,)]
        tasks.cancel_scope.cancel()
    await own_connection(db)


async def test_a_cancel_request_that_is_lost_holds_nobody_up(
    pooler: Pooler,
    tcp_server: TcpServer,
    open_at: OpenAt,
) -> None:
    with lossy_relay(pooler.port) as relay:
        db = await open_at(Pooler(relay.port))
        before = await own_connection(db)
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read_asleep, db)
                await until_running(tcp_server, 1)
                tasks.cancel_scope.cancel()
            assert relay.swallowed == 1
            assert await own_connection(db) != before
        await until_running(tcp_server, 0)


async def test_a_pooler_that_answers_nothing_holds_no_cancelled_query_up(
    db: Database, pooler: Pooler, tcp_server: TcpServer
) -> None:
    before = await own_connection(db)
    with anyio.fail_after(30), ExitStack() as stack:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_asleep, db)
            await until_running(tcp_server, 1)
            stack.enter_context(pooler.standing_still())
            tasks.cancel_scope.cancel()
    assert await own_connection(db) != before
    await until_running(tcp_server, 0)


async def test_a_pooler_that_answers_nothing_holds_no_rollback_up(
    db: Database, pooler: Pooler
) -> None:
    before, begun = await own_connection(db), anyio.Event()

    async def read_and_think() -> None:
        async with db.reading("alice"):
            begun.set()
            await anyio.sleep_forever()

    with anyio.fail_after(30), ExitStack() as stack:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read_and_think)
            await begun.wait()
            stack.enter_context(pooler.standing_still())
            tasks.cancel_scope.cancel()
    assert await own_connection(db) != before
