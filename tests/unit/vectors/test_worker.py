"""The queue: each chunk by one worker, whatever becomes of the worker, the chunk or the text."""

import subprocess
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import anyio
import pytest

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.postgres.connection import Connection, Vector
from mcp_memory.postgres.databases import Databases
from mcp_memory.vectors import queue, spaces
from mcp_memory.vectors.embedders import Embedders
from mcp_memory.vectors.providers.base import Embedder
from mcp_memory.vectors.queue import Vectors
from mcp_memory.vectors.spaces import SpaceStatus
from mcp_memory.vectors.worker import EmbeddingTarget, embed_all_batches, embed_batch, prepare
from tests.fixtures.forks import module_command
from tests.fixtures.provider import Provider
from tests.fixtures.vector_queries import search, until
from tests.fixtures.vector_settings import settings_for

LEASE = UUID(int=7)


@pytest.fixture
async def embedder(provider: Provider) -> AsyncIterator[Embedder]:
    embedders = Embedders(settings_for(provider.base_url))
    yield await embedders.own()
    await embedders.aclose()


@pytest.fixture
async def target(databases: Databases, embedder: Embedder) -> EmbeddingTarget:
    """A prepared space over the test's database; no worker of an app comes between."""
    database = await databases.writing(None, "tester")
    async with database.maintaining() as conn:
        await spaces.add(conn, "openai", "small", 8)
    async with database.maintaining() as conn:
        [space] = await spaces.read_spaces(conn)
    await prepare(database, space)
    return EmbeddingTarget(database, space, embedder)


_ADD = """
WITH one AS (
    INSERT INTO documents (agent_id, path, title, tokens, sha256)
    VALUES ('tester', gen_random_uuid()::text, 't', 1, '')
    RETURNING id
)
INSERT INTO chunks (agent_id, source, document_id, position, path, title, start_line, end_line,
                    text, text_hash, tokens, lexemes)
SELECT 'tester', 'documents', id, 0, 'p', 't', 1, 1, %(text)s, sha256(%(text)s::text::bytea), 1, ''
FROM one
"""


async def add_chunks(target: EmbeddingTarget, *texts: str) -> None:
    async with target.database.writing("tester") as conn:
        for text in texts:
            await conn.execute(_ADD, {"text": text})


async def status(target: EmbeddingTarget) -> SpaceStatus:
    async with target.database.maintaining() as conn:
        return await spaces.status(conn, target.space)


async def numbers(target: EmbeddingTarget) -> tuple[int, int, int]:
    """Vectors, pending, failed."""
    now = await status(target)
    return now.vectors, now.pending, now.failed


async def leases(target: EmbeddingTarget) -> list[tuple[bool, int]]:
    """Of each job: whether it is leased, and how many attempts it had."""

    async with target.database.maintaining() as conn:
        found = await conn.execute(
            "SELECT lease IS NOT NULL, attempts FROM vector_jobs ORDER BY chunk_id"
        )
        return [(bool(row[0]), int(row[1])) for row in await found.fetchall()]


async def test_a_text_that_is_refused_is_set_aside_and_shown_and_the_others_are_embedded(
    target: EmbeddingTarget, provider: Provider
) -> None:
    provider.poison = "arsenic"
    await add_chunks(target, *(f"meal {n}" for n in range(7)), "meal with arsenic")

    assert await embed_all_batches(target, batch=64) == 8

    now = await status(target)
    assert (now.vectors, now.pending, now.failed) == (7, 0, 1)
    assert "arsenic is not food" in now.last_problem
    assert await embed_all_batches(target, batch=64) == 0

    provider.poison = ""
    async with target.database.maintaining() as conn:
        retry = await queue.retry_failed(conn, target.space.id)
    assert retry == 1
    await embed_all_batches(target, batch=64)
    now = await status(target)
    assert (now.vectors, now.pending, now.failed, now.last_problem) == (8, 0, 0, "")


def start_worker(database_url: str, base_url: str) -> subprocess.Popen[bytes]:
    command = module_command("tests.fixtures.vector_worker", database_url, base_url)
    return subprocess.Popen(command)


async def test_a_worker_that_is_killed_loses_its_lease_and_nothing_else(
    target: EmbeddingTarget, provider: Provider, config: Config
) -> None:
    await add_chunks(target, "one", "two", "three")
    provider.hold("two")
    assert config.database.url is not None
    process = start_worker(config.database.url.reveal(), provider.base_url)
    try:
        await provider.until_holding()
        assert await embed_batch(target, limit=10) == 0
        assert await leases(target) == [(True, 1)] * 3
    finally:
        process.kill()
        process.wait()
    provider.release()

    await until(lambda: embed_batch(target, limit=10))
    assert await numbers(target) == (3, 0, 0)


async def count_claim(target: EmbeddingTarget) -> int:
    """Claim what is due, as a worker that is killed then; how many jobs it had."""
    async with target.database.maintaining() as conn:
        batch = await queue.claim(conn, target.space.id, lease=LEASE, lease_seconds=0, limit=10)
    return len(batch.jobs)


async def test_a_text_that_kills_every_worker_is_set_aside_alone(target: EmbeddingTarget) -> None:
    await add_chunks(target, "deadly")
    sizes = [await count_claim(target) for _ in range(queue.MAX_ATTEMPTS + 1)]
    assert sizes == [1] * queue.MAX_ATTEMPTS + [0]
    now = await status(target)
    assert (now.vectors, now.pending, now.failed) == (0, 0, 1)
    assert "no worker came back" in now.last_problem


async def test_what_may_have_killed_a_worker_twice_is_taken_alone(target: EmbeddingTarget) -> None:
    await add_chunks(target, "one", "two", "three")
    assert [await count_claim(target) for _ in range(4)] == [3, 3, 1, 1]


async def test_a_chunk_that_is_deleted_while_it_is_embedded_gets_no_vector_and_harms_no_other(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "stays", "goes")
    provider.hold("goes")

    async def delete(conn: Connection) -> None:
        await conn.execute("DELETE FROM chunks WHERE text = 'goes'")

    async with anyio.create_task_group() as group:
        group.start_soon(work_all, target)
        await provider.until_holding()
        async with target.database.maintaining() as conn:
            await delete(conn)
        provider.release()
    assert await numbers(target) == (1, 0, 0)


async def test_a_chunk_that_is_being_deleted_is_not_waited_for(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "stays", "goes")
    provider.hold("goes")
    deleted, go_on = anyio.Event(), anyio.Event()

    async def delete(conn: Connection) -> None:
        await conn.execute("DELETE FROM chunks WHERE text = 'goes'")
        deleted.set()
        await go_on.wait()

    async def delete_slowly() -> None:
        async with target.database.maintaining() as conn:
            await delete(conn)

    async with anyio.create_task_group() as group:
        async with anyio.create_task_group() as embedding:
            embedding.start_soon(work_all, target)
            await provider.until_holding()
            group.start_soon(delete_slowly)
            await deleted.wait()
            provider.release()
        assert (await status(target)).vectors == 1
        go_on.set()
    assert await numbers(target) == (1, 0, 0)


async def work_all(target: EmbeddingTarget) -> None:
    await embed_batch(target, limit=10)


async def test_a_chunk_whose_text_is_being_changed_is_not_waited_for(
    target: EmbeddingTarget,
) -> None:
    await add_chunks(target, "one", "two", "three")
    async with target.database.maintaining() as conn:
        batch = await queue.claim(conn, target.space.id, lease=LEASE, lease_seconds=60, limit=3)
    vector = Vectors(Vector([1.0] * 8), None)
    vectors = {job.chunk_id: vector for job in batch.jobs}

    with anyio.fail_after(20):
        async with target.database.writing("tester") as conn:
            await conn.execute(
                "UPDATE chunks SET text = 'deux', text_hash = sha256('deux') WHERE text = 'two'"
            )
            async with target.database.maintaining() as other:
                stored = await queue.complete(other, target.space.id, lease=LEASE, vectors=vectors)
            async with target.database.maintaining() as other:
                await queue.give_back(other, target.space.id, lease=LEASE)

    assert stored == 2
    assert await leases(target) == [(False, 0)]
    assert await embed_all_batches(target, batch=64) == 1
    assert await numbers(target) == (3, 0, 0)


async def test_a_worker_that_comes_back_after_its_lease_stores_nothing(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "slow")
    provider.hold("slow")
    late = replace(target, lease_seconds=0.1, longest_seconds=0)
    async with anyio.create_task_group() as group:
        group.start_soon(work_all, late)
        await provider.until_holding()
        provider.held = ""
        await until(lambda: embed_batch(target, limit=10))
        assert await numbers(target) == (1, 0, 0)
        provider.release()
    assert await numbers(target) == (1, 0, 0)


async def test_who_works_longer_than_its_lease_keeps_it(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "slow")
    provider.hold("slow")
    working = replace(target, lease_seconds=1)

    async def lease_ends() -> datetime:
        async with target.database.maintaining() as conn:
            found = await (await conn.execute("SELECT next_try_at FROM vector_jobs")).fetchone()
            assert found is not None
            return found[0]

    async with anyio.create_task_group() as group:
        group.start_soon(work_all, working)
        await provider.until_holding()
        first_end = await lease_ends()

        async def is_over() -> bool:
            return await lease_ends() > first_end + timedelta(seconds=1)

        await until(is_over, seconds=10)
        assert await embed_batch(target, limit=10) == 0
        provider.release()
    assert await numbers(target) == (1, 0, 0)
    assert [count for text, count in provider.asked.items() if "slow" in text] == [1]


async def test_another_server_takes_a_dead_ones_chunks_when_their_lease_is_over(
    target: EmbeddingTarget, config: Config
) -> None:
    await add_chunks(target, "one", "two")
    async with target.database.maintaining() as conn:
        await queue.claim(conn, target.space.id, lease=LEASE, lease_seconds=2, limit=10)
    async with open_app(config) as app:
        await search(app, "one")

        async def is_full() -> bool:
            return await numbers(target) == (2, 0, 0)

        await until(is_full, seconds=15)


async def test_a_cancelled_worker_gives_back_its_lease_without_blame(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "one", "two")
    provider.hold("two")
    async with anyio.create_task_group() as group:
        group.start_soon(work_all, target)
        await provider.until_holding()
        group.cancel_scope.cancel()
    assert await leases(target) == [(False, 0)] * 2


async def test_a_provider_that_is_away_gives_back_the_lease_without_blame(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "one", "two")
    provider.stop()
    embedders = Embedders(settings_for(provider.base_url, timeout_seconds=0.1))
    with pytest.raises(EmbeddingUnavailable):
        await embed_all_batches(
            EmbeddingTarget(target.database, target.space, embedders.configured), batch=10
        )
    assert await leases(target) == [(False, 0)] * 2
    await embedders.aclose()


async def test_four_workers_never_take_the_same_chunk(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, *(f"text {number}" for number in range(200)))
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(drain_small, target)
    assert await numbers(target) == (200, 0, 0)
    assert {count for text, count in provider.asked.items() if "text" in text} == {1}


async def drain_small(target: EmbeddingTarget) -> None:
    await embed_all_batches(target, batch=7)


async def test_equal_texts_are_asked_for_once_in_a_batch_and_never_again(
    target: EmbeddingTarget, provider: Provider
) -> None:
    await add_chunks(target, "again", "again", "once")
    await embed_all_batches(target, batch=64)
    await add_chunks(target, "again")
    await embed_all_batches(target, batch=64)
    assert await numbers(target) == (4, 0, 0)
    assert [count for text, count in provider.asked.items() if "again" in text] == [1]


async def test_what_was_written_last_is_embedded_first(
    target: EmbeddingTarget, provider: Provider
) -> None:
    for text in ("old", "middle", "new"):
        await add_chunks(target, text)
    await embed_batch(target, limit=1)
    assert [text.strip() for text in provider.asked if "dimensions" not in text] == ["new"]
