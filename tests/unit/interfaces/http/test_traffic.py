"""Calls that shall finish and streams that must end."""

import anyio
from anyio.abc import TaskStatus

from mcp_memory.interfaces.http.traffic import Traffic


async def test_draining_waits_for_calls() -> None:
    traffic, finish = Traffic(), anyio.Event()
    left: list[int] = []

    async def call(*, task_status: TaskStatus[None]) -> None:
        with traffic.call():
            task_status.started()
            await finish.wait()

    async def drain() -> None:
        left.append(await traffic.drain(60))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for _ in range(2):
                await tasks.start(call)
            tasks.start_soon(drain)
            await anyio.wait_all_tasks_blocked()
            assert traffic.is_closing
            assert left == []
            finish.set()
    assert left == [0]


async def test_draining_has_a_bound_and_says_what_is_left() -> None:
    traffic = Traffic()
    with traffic.call():
        assert await traffic.drain(0.01) == 1


async def listen(traffic: Traffic, key_id: str, *, task_status: TaskStatus[None]) -> None:
    with traffic.stream(key_id):
        task_status.started()
        await anyio.sleep_forever()


async def test_streams_end_when_they_are_told_to() -> None:
    traffic = Traffic()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            for key_id in ("a", ""):
                await tasks.start(listen, traffic, key_id)
            traffic.end_streams()


async def test_the_streams_of_an_ended_key_end_and_no_others() -> None:
    traffic, asked = Traffic(), list[list[str]]()

    async def usable(ids: list[str]) -> set[str]:
        asked.append(ids)
        return {"b"}

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(traffic.end_streams_of_ended_keys, usable)
            async with anyio.create_task_group() as streams:
                await streams.start(listen, traffic, "a")
                for key_id in ("b", ""):
                    await tasks.start(listen, traffic, key_id)
            assert asked == [["a", "b"]]
            tasks.cancel_scope.cancel()
