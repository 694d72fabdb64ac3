"""Slow calls: they hold up nobody, and a cancelled one leaves nothing behind."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import psycopg
import pytest
from mcp import Client

from mcp_memory.app import App
from mcp_memory.interfaces.mcp.server import build_server
from tests.fixtures.calls import ask, paths

POOL = 4


@asynccontextmanager
async def writers_held_up(url: str) -> AsyncGenerator[None]:
    """While the block runs, no document can be written, but all can be read."""
    async with await psycopg.AsyncConnection.connect(url) as conn:
        await conn.execute("LOCK TABLE mcp_memory.documents IN SHARE MODE")
        yield


async def backends(url: str, *, waiting: bool = False) -> set[int]:
    """The server processes of this test's pool; those alone that wait for a lock when asked."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        cursor = await conn.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'mcp-memory'"
            " AND (NOT %(waiting)s OR wait_event_type = 'Lock')",
            {"waiting": waiting},
        )
        return {int(row[0]) for row in await cursor.fetchall()}


async def until_waiting(url: str, count: int) -> set[int]:
    """The waiting backends, once there are so many."""
    with anyio.fail_after(10):
        found = await backends(url, waiting=True)
        while len(found) != count:
            found = await backends(url, waiting=True)
    return found


async def write(client: Client, number: int) -> None:
    await ask(client, "memory_write", path=f"note-{number}.md", content="x")


async def test_one_slow_call_does_not_make_another_wait(alice: Client, database_url: str) -> None:
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks, writers_held_up(database_url):
            tasks.start_soon(write, alice, 1)
            await until_waiting(database_url, 1)
            assert await ask(alice, "memory_list") == {"documents": []}
            assert await backends(database_url, waiting=True)
    assert paths(await ask(alice, "memory_list"), "documents") == ["note-1.md"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_cancelled_calls_cost_no_connection_and_leave_no_query_running(
    app: App, database_url: str, mode: str
) -> None:
    async with Client(build_server(app), mode=mode) as client:
        await ask(client, "memory_list")
        async with writers_held_up(database_url):
            before = await _cancel_waiting_writes(client, database_url)
            await until_waiting(database_url, 0)
            assert await ask(client, "memory_list") == {"documents": []}
        async with anyio.create_task_group() as tasks:
            for number in range(2 * POOL):
                tasks.start_soon(write, client, number)
        assert await backends(database_url) == before


async def _cancel_waiting_writes(client: Client, url: str) -> set[int]:
    """Cancel twice as many writes as the pool has connections; the backends that were waiting."""
    async with anyio.create_task_group() as tasks:
        for number in range(2 * POOL):
            tasks.start_soon(write, client, number)
        waiting = await until_waiting(url, POOL)
        tasks.cancel_scope.cancel()
        return waiting
    raise AssertionError("the task group swallowed what was returned")
