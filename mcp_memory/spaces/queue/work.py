"""One batch of the queue: leased, embedded, stored, and every failure told apart."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.vectors import Vector
from mcp_memory.embeddings.base import Embedder
from mcp_memory.errors import (
    DimensionMismatch,
    EmbeddingError,
    EmbeddingRefused,
    EmbeddingUnavailable,
    McpMemoryError,
)
from mcp_memory.spaces.models import Job, Space
from mcp_memory.spaces.queue import store

# Renewed while its holder works, so what a killed process held is free this soon.
LEASE_SECONDS = 15.0
# A batch that takes longer hangs: its lease is renewed no more, and others get its chunks.
MAX_BATCH_SECONDS = 120.0
_GIVE_BACK_SECONDS = 5.0

logger = logging.getLogger(__name__)


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
        batch = await store.claim(
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
                await store.give_back(conn, target.space.id, lease=lease)
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
        await store.renew(conn, target.space.id, lease=lease, lease_seconds=target.lease_seconds)


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
        await store.complete(conn, target.space.id, lease=lease, vectors=vectors)


async def _vectors(target: EmbeddingTarget, jobs: Sequence[Job]) -> dict[int, store.Vectors]:
    """The vectors of each chunk, of the space's dimensions; equal texts are embedded once."""
    texts = list(dict.fromkeys(text for job in jobs for text in (job.text, job.alone) if text))
    # float32, one row a text: (texts, dimensions).
    rows = await target.embedder.embed_documents(texts)
    if rows.shape != (len(texts), target.space.dimensions):
        raise DimensionMismatch(target.space.model, target.space.dimensions, rows.shape[-1])
    by_text = dict(zip(texts, map(Vector, rows), strict=True))
    return {
        job.chunk_id: store.Vectors(by_text[job.text], by_text[job.alone] if job.alone else None)
        for job in jobs
    }


async def _set_back(
    target: EmbeddingTarget, lease: UUID, job: Job, problem: EmbeddingError
) -> None:
    logger.warning("chunk %d has no vector (attempt %d): %s", job.chunk_id, job.attempts, problem)
    async with target.database.maintaining() as conn:
        await store.fail(
            conn,
            target.space.id,
            lease=lease,
            chunk_id=job.chunk_id,
            problem=str(problem),
            is_final=isinstance(problem, EmbeddingRefused),
        )
