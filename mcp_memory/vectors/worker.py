"""The background work of one process: every open database's queues, round after round."""

import logging
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

import anyio

from mcp_memory.background import attempt
from mcp_memory.backoff import Backoff
from mcp_memory.errors import (
    DimensionMismatch,
    EmbeddingError,
    EmbeddingRefused,
    EmbeddingUnavailable,
    McpMemoryError,
)
from mcp_memory.postgres.connection import Vector
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database
from mcp_memory.vectors import queue, spaces
from mcp_memory.vectors.embedders import Embedders, SpaceCache
from mcp_memory.vectors.providers.base import Embedder
from mcp_memory.vectors.spaces import Job, Space

# Renewed while its holder works, so what a killed process held is free this soon.
LEASE_SECONDS = 15.0
# A batch that takes longer hangs: its lease is renewed no more, and others get its chunks.
MAX_BATCH_SECONDS = 120.0
_GIVE_BACK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class EmbeddingTarget:
    """Where vectors go, and the model that they come from."""

    database: Database
    space: Space
    embedder: Embedder
    lease_seconds: float = LEASE_SECONDS
    longest_seconds: float = MAX_BATCH_SECONDS


async def embed_batch(target: EmbeddingTarget, *, limit: int) -> int:
    """Embed up to `limit` due chunks; how many were due, 0 when nothing is.

    Raises `EmbeddingUnavailable` or `DimensionMismatch` when the provider is at fault, not the
    texts: then, and when it is cancelled, others get them at once.
    """
    async with target.database.maintaining() as conn:
        batch = await queue.claim(
            conn,
            target.space.id,
            lease=uuid4(),
            lease_seconds=target.lease_seconds,
            limit=limit,
        )
    if batch.jobs:
        async with _give_back_on_failure(target, batch.lease), _keep_lease(target, batch.lease):
            await _embed(target, batch.lease, batch.jobs)
    return batch.taken


@asynccontextmanager
async def _give_back_on_failure(target: EmbeddingTarget, lease: UUID) -> AsyncGenerator[None]:
    """An unexpected error keeps the lease: the text may be its cause, and its attempt counts."""
    try:
        yield
    except (McpMemoryError, anyio.get_cancelled_exc_class()):
        with (
            anyio.move_on_after(_GIVE_BACK_SECONDS, shield=True),
            suppress(McpMemoryError),  # then the lease runs out
        ):
            async with target.database.maintaining() as conn:
                await queue.give_back(conn, target.space.id, lease=lease)
        raise


@asynccontextmanager
async def _keep_lease(target: EmbeddingTarget, lease: UUID) -> AsyncGenerator[None]:
    """Keep the lease while the block works; what the block raises is raised as it is."""
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_renew_for_a_while, target, lease)
            yield
            tasks.cancel_scope.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _renew_for_a_while(target: EmbeddingTarget, lease: UUID) -> None:
    with anyio.move_on_after(target.longest_seconds):
        while True:
            await anyio.sleep(target.lease_seconds / 3)
            try:
                await _renew(target, lease)
            except McpMemoryError as exc:  # another third is left, then others get the chunks
                logger.info("a lease of %s is not renewed: %s", target.space.label, exc)


async def _renew(target: EmbeddingTarget, lease: UUID) -> None:
    async with target.database.maintaining() as conn:
        await queue.renew(conn, target.space.id, lease=lease, lease_seconds=target.lease_seconds)


async def _embed(target: EmbeddingTarget, lease: UUID, jobs: Sequence[Job]) -> None:
    """All at once; when that fails, half by half, so that only the text at fault stays behind."""
    try:
        vectors = await _vectors(target, jobs)
    except (EmbeddingUnavailable, DimensionMismatch):
        raise
    except EmbeddingError as exc:
        if len(jobs) == 1:
            await _set_back(target, lease, jobs[0], exc)
            return
        half = len(jobs) // 2
        await _embed(target, lease, jobs[:half])
        await _embed(target, lease, jobs[half:])
        return
    async with target.database.maintaining() as conn:
        await queue.complete(conn, target.space.id, lease=lease, vectors=vectors)


async def _vectors(target: EmbeddingTarget, jobs: Sequence[Job]) -> dict[int, queue.Vectors]:
    """The vectors of each chunk, of the space's dimensions; equal texts are embedded once."""
    texts = list(dict.fromkeys(text for job in jobs for text in (job.text, job.alone) if text))
    # float32, one row a text: (texts, dimensions).
    rows = await target.embedder.embed_documents(texts)
    if rows.shape != (len(texts), target.space.dimensions):
        raise DimensionMismatch(target.space.model, target.space.dimensions, rows.shape[-1])
    by_text = dict(zip(texts, map(Vector, rows), strict=True))
    return {
        job.chunk_id: queue.Vectors(by_text[job.text], by_text[job.alone] if job.alone else None)
        for job in jobs
    }


async def _set_back(
    target: EmbeddingTarget, lease: UUID, job: Job, problem: EmbeddingError
) -> None:
    logger.warning("chunk %d has no vector (attempt %d): %s", job.chunk_id, job.attempts, problem)
    async with target.database.maintaining() as conn:
        await queue.fail(
            conn,
            target.space.id,
            lease=lease,
            chunk_id=job.chunk_id,
            problem=str(problem),
            is_final=isinstance(problem, EmbeddingRefused),
        )


# Two lanes keep the model busy; a third hides a slow commit. Each holds one batch, no more.
LANES = 3
LARGEST_BATCH = 512
# A batch under the first is too small to keep the model busy; one over the second holds up a
# cancellation, and comes near the end of its lease (15 s).
_SHORT_SECONDS = 1.0
_LONG_SECONDS = 5.0


async def embed_all_batches(
    target: EmbeddingTarget, *, batch: int, on_done: Callable[[int], None] = lambda done: None
) -> int:
    """Embed until nothing is due; how many chunks were. `on_done` hears of each batch.

    The first failure ends it and is raised as it is; the other lanes give back what they hold.
    """
    done = await embed_batch(target, limit=batch)
    if not done:
        return 0
    on_done(done)

    async def lane() -> None:
        nonlocal done
        size = batch
        while True:
            began = anyio.current_time()
            count = await embed_batch(target, limit=size)
            if not count:
                return
            done += count
            on_done(count)
            size = next_size(size, anyio.current_time() - began)

    try:
        async with anyio.create_task_group() as lanes:
            for _ in range(LANES):
                lanes.start_soon(lane)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return done


def next_size(size: int, seconds: float) -> int:
    """Larger batches while they are quick, smaller ones when a lease or a cancellation waits."""
    if seconds < _SHORT_SECONDS:
        return min(size * 2, max(size, LARGEST_BATCH))
    if seconds > _LONG_SECONDS:
        return max(1, size // 2)
    return size


async def prepare(database: Database, space: Space) -> None:
    """Give a new space its index, and queue what is older than it; cheap when that was done.

    The queue is looked through until nothing is missing: the last look finds what somebody was
    about to delete during the one before, and did not.
    """
    if space.prepared:
        return
    async with database.maintaining() as conn:
        await spaces.index(conn, space.id)
    await queue_all_missing(database, space)
    async with database.maintaining() as conn:
        await spaces.mark_prepared(conn, space.id)


async def queue_all_missing(database: Database, space: Space) -> None:
    """Queue whatever the space has neither a vector nor a job for."""
    is_complete = False
    while not is_complete:
        # Each part is a transaction of its own: writers wait for no longer one.
        async with database.maintaining() as conn:
            is_complete = not await spaces.queue_missing(conn, space.id)


async def embed_due(
    target: EmbeddingTarget, *, batch: int, on_done: Callable[[int], None] = lambda done: None
) -> int:
    """Embed all that is due in the space; how many chunks. Its status says why, if it cannot."""
    await prepare(target.database, target.space)
    try:
        done = await embed_all_batches(target, batch=batch, on_done=on_done)
    except EmbeddingError as exc:
        await _report(target, str(exc))
        raise
    if done or target.space.problem:
        await _report(target, "")
    return done


async def _report(target: EmbeddingTarget, problem: str) -> None:
    async with target.database.maintaining() as conn:
        await spaces.report(conn, target.space.id, problem=problem)


# The pauses after failures; the longest is also how late the jobs of a killed process are seen.
_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Worker:
    """Fills the spaces this process has the model of; woken by writes, and slowly by time.

    Time finds what other processes left behind: it looks again when a lease may have run out.
    After a failure it comes back soon, then later and later.
    """

    def __init__(
        self, databases: Databases, embedders: Embedders, spaces: SpaceCache, *, batch: int
    ) -> None:
        self._databases, self._embedders = databases, embedders
        self._spaces, self._batch = spaces, batch
        # Whoever sets it begins the next round at once.
        self.woken = anyio.Event()

    async def run(self) -> None:
        """Work until cancelled."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
        while True:
            self.woken = anyio.Event()
            wait_seconds = await self._round()
            if wait_seconds is None:
                wait_seconds = backoff.next_seconds()
            else:
                backoff.reset()
            with anyio.move_on_after(wait_seconds):
                await self.woken.wait()

    async def _round(self) -> float | None:
        """All databases side by side, so that one out of reach holds up no other.

        The seconds until the next round; None when something was in the way.
        """
        waits: list[float | None] = []

        async def work(database: Database) -> None:
            embed = partial(self._embed_all, database, waits)
            if not await attempt(f"vectors of {database.name}", embed):
                waits.append(None)

        async with anyio.create_task_group() as group:
            for database in self._databases.list_open():
                group.start_soon(work, database)
        return _soonest(waits)

    async def _embed_all(self, database: Database, waits: list[float | None]) -> None:
        """Fill the database's spaces; the seconds until the next round join `waits`."""
        spaces = filter(self._embedders.serves, await self._spaces.of(database))
        waits.extend([await self._embed_due(database, space) for space in spaces])

    async def _embed_due(self, database: Database, space: Space) -> float | None:
        try:
            embedder = await self._embedders.for_space(space)
            await embed_due(EmbeddingTarget(database, space, embedder), batch=self._batch)
        except EmbeddingError as exc:
            # Said once; the status of the space goes on saying it.
            level = logging.DEBUG if space.problem == str(exc) else logging.WARNING
            logger.log(level, "vectors of %s in %s wait: %s", space.label, database.name, exc)
            self._spaces.forget(database)
            return None
        if not space.prepared:
            self._spaces.forget(database)
        async with database.maintaining() as conn:
            due_seconds = await queue.next_due_seconds(conn, space.id)
        if due_seconds is None:
            return _MAX_PAUSE_SECONDS
        return max(due_seconds, _FIRST_PAUSE_SECONDS)


def _soonest(waits: Sequence[float | None]) -> float | None:
    """The shortest of them, and never too long; None when one of them is."""
    seconds = [wait for wait in waits if wait is not None]
    if len(seconds) < len(waits):
        return None
    return min([_MAX_PAUSE_SECONDS, *seconds])
