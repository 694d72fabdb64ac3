"""Reconnecting to a server is done once for all who wait."""

import anyio
import pytest

from mcp_memory.errors import DatabaseUnavailable
from mcp_memory.postgres.connection import SharedReconnect


class Server:
    """A server that is slow to be seen, and down as long as `problem` is set."""

    def __init__(self, problem: DatabaseUnavailable | None = None) -> None:
        self.problem, self.attempts, self.seen = problem, 0, anyio.Event()

    async def reconnect(self) -> None:
        self.attempts += 1
        await self.seen.wait()
        if self.problem is not None:
            raise self.problem


async def test_who_waits_together_shares_one_attempt() -> None:
    server = Server()
    reconnect = SharedReconnect(server.reconnect)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(reconnect)
        await anyio.wait_all_tasks_blocked()
        server.seen.set()

    assert server.attempts == 1


async def test_who_waits_together_hears_the_same_problem() -> None:
    server = Server(DatabaseUnavailable("main", "the server refuses connections"))
    reconnect = SharedReconnect(server.reconnect)
    heard: list[DatabaseUnavailable] = []

    async def ask() -> None:
        with pytest.raises(DatabaseUnavailable) as caught:
            await reconnect()
        heard.append(caught.value)

    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        server.seen.set()

    assert server.attempts == 1
    assert [each.reason for each in heard] == ["the server refuses connections"] * 10


async def test_who_asks_later_has_it_tried_again() -> None:
    server = Server(DatabaseUnavailable("main", "the server refuses connections"))
    server.seen.set()
    reconnect = SharedReconnect(server.reconnect)
    with pytest.raises(DatabaseUnavailable):
        await reconnect()
    server.problem = None

    await reconnect()

    assert server.attempts == 2


async def test_when_the_one_who_tries_is_cancelled_another_goes_on() -> None:
    server = Server()
    reconnect = SharedReconnect(server.reconnect)
    first = anyio.CancelScope()

    async def give_up() -> None:
        with first:
            await reconnect()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(give_up)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(reconnect)
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        server.seen.set()

    assert server.attempts == 2
