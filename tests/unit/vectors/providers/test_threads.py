"""Bulk work in threads: order, failures, and queries that pass by."""

import threading

import anyio
import pytest

from mcp_memory.vectors.providers.batching import EmbeddingThreads


async def test_results_come_in_the_order_of_the_pieces():
    threads = EmbeddingThreads(document_threads=3)

    assert await threads.for_each(lambda number: number * 2, range(50)) == list(range(0, 100, 2))


async def test_the_first_failure_is_raised_as_itself_and_ends_the_work():
    begun: list[int] = []

    def fail_at_three(number: int) -> None:
        begun.append(number)
        if number == 3:
            raise ValueError(number)

    with pytest.raises(ValueError, match="3"):
        await EmbeddingThreads().for_each(fail_at_three, range(100))

    assert begun == [0, 1, 2, 3]


async def test_a_query_does_not_wait_for_documents():
    threads = EmbeddingThreads(document_threads=2)
    release = threading.Event()
    answers: list[str] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(threads.for_documents, release.wait)
            try:
                answers.append(await threads.for_query(str.upper, "now"))
            finally:
                release.set()

    assert answers == ["NOW"]
