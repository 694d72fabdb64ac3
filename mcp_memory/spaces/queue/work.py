"""One batch of the queue: leased, embedded, stored, and every failure told apart."""

import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
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
class Filler:
    """What fills a space: the model of its vectors, and the database they go into."""

    database: Database
    space: Space
    embedder: Embedder
    lease_seconds: float = LEASE_SECONDS
    longest_seconds: float = MAX_BATCH_SECONDS


async def work_once(filler: Filler, *, limit: int) -> int:
    """Embed up to `limit` due chunks; how many were due, 0 when nothing is.

    Raises `EmbeddingUnavailable` or `DimensionMismatch` when the provider is at fault, not the
    texts: then, and when it is cancelled, others get them at once.
    """
    claim = partial(
        store.claim,
        space_id=filler.space.id,
        lease=uuid4(),
        lease_seconds=filler.lease_seconds,
        limit=limit,
    )
    batch = await filler.database.maintain(claim)
    if batch.jobs:
        async with _given_back_on_failure(filler, batch.lease), _renewed(filler, batch.lease):
            await _embed(filler, batch.lease, batch.jobs)
    return batch.taken


@asynccontextmanager
async def _given_back_on_failure(filler: Filler, lease: UUID) -> AsyncGenerator[None]:
    """An unexpected error keeps the lease: the text may be its cause, and its attempt counts."""
    try:
        yield
    except (McpMemoryError, anyio.get_cancelled_exc_class()):
        give_back = partial(store.give_back, space_id=filler.space.id, lease=lease)
        with (
            anyio.move_on_after(_GIVE_BACK_SECONDS, shield=True),
            suppress(McpMemoryError),  # then the lease runs out
        ):
            await filler.database.maintain(give_back)
        raise


@asynccontextmanager
async def _renewed(filler: Filler, lease: UUID) -> AsyncGenerator[None]:
    """Keep the lease while the block works; what the block raises is raised as it is."""
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_renew_for_a_while, filler, lease)
            yield
            tasks.cancel_scope.cancel()
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def _renew_for_a_while(filler: Filler, lease: UUID) -> None:
    renew = partial(
        store.renew, space_id=filler.space.id, lease=lease, lease_seconds=filler.lease_seconds
    )
    with anyio.move_on_after(filler.longest_seconds):
        while True:
            await anyio.sleep(filler.lease_seconds / 3)
            try:
                await filler.database.maintain(renew)
            except McpMemoryError as exc:  # another third is left, then others get the chunks
                logger.info("a lease of %s is not renewed: %s", filler.space.label, exc)


async def _embed(filler: Filler, lease: UUID, jobs: Sequence[Job]) -> None:
    """All at once; when that fails, half by half, so that only the text at fault stays behind."""
    try:
        vectors = await _vectors(filler, jobs)
    except (EmbeddingUnavailable, DimensionMismatch):
        raise
    except EmbeddingError as exc:
        if len(jobs) == 1:
            await _set_back(filler, lease, jobs[0], exc)
            return
        half = len(jobs) // 2
        await _embed(filler, lease, jobs[:half])
        await _embed(filler, lease, jobs[half:])
        return
    complete = partial(store.complete, space_id=filler.space.id, lease=lease, vectors=vectors)
    await filler.database.maintain(complete)


async def _vectors(filler: Filler, jobs: Sequence[Job]) -> dict[int, store.Vectors]:
    """The vectors of each chunk, of the space's dimensions; equal texts are embedded once."""
    texts = list(dict.fromkeys(text for job in jobs for text in (job.text, job.alone) if text))
    rows = await filler.embedder.embed_documents(texts)
    if rows.shape != (len(texts), filler.space.dimensions):
        raise DimensionMismatch(filler.space.model, filler.space.dimensions, rows.shape[-1])
    by_text = dict(zip(texts, map(Vector, rows), strict=True))
    return {
        job.chunk_id: store.Vectors(by_text[job.text], by_text[job.alone] if job.alone else None)
        for job in jobs
    }


async def _set_back(filler: Filler, lease: UUID, job: Job, problem: EmbeddingError) -> None:
    logger.warning("chunk %d has no vector (attempt %d): %s", job.chunk_id, job.attempts, problem)
    fail = partial(
        store.fail,
        space_id=filler.space.id,
        lease=lease,
        chunk_id=job.chunk_id,
        problem=str(problem),
        is_final=isinstance(problem, EmbeddingRefused),
    )
    await filler.database.maintain(fail)
