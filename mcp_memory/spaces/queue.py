"""Working the queue: leases taken, texts embedded, vectors stored, failures told apart."""

import logging
from collections.abc import Sequence
from functools import partial
from uuid import UUID, uuid4

from mcp_memory.db.database import Database
from mcp_memory.db.vectors import Vector
from mcp_memory.embeddings.base import Embedder
from mcp_memory.errors import DimensionMismatch, EmbeddingError, EmbeddingUnavailable
from mcp_memory.spaces import store
from mcp_memory.spaces.models import Job, Space

LEASE_SECONDS = 120.0
_MOST_ATTEMPTS = 5

logger = logging.getLogger(__name__)


async def work_once(database: Database, space: Space, embedder: Embedder, *, limit: int) -> int:
    """Embed up to `limit` due chunks; how many leases were taken, 0 when nothing is due.

    Raises `EmbeddingUnavailable` when the provider does not answer; the leases are given back.
    """
    lease = uuid4()
    claim = partial(
        store.claim, space_id=space.id, lease=lease, lease_seconds=LEASE_SECONDS, limit=limit
    )
    jobs = await database.maintain(claim)
    if not jobs:
        return 0
    try:
        await _embed(database, space, embedder, lease, jobs)
    except (EmbeddingUnavailable, DimensionMismatch):
        await database.maintain(partial(store.give_back, space_id=space.id, lease=lease))
        raise
    return len(jobs)


async def _embed(
    database: Database, space: Space, embedder: Embedder, lease: UUID, jobs: Sequence[Job]
) -> None:
    """All at once; when some text is refused, one by one, so that only that one fails."""
    try:
        rows = await embedder.embed_documents([job.text for job in jobs])
    except (EmbeddingUnavailable, DimensionMismatch):
        raise
    except EmbeddingError as exc:
        if len(jobs) == 1:
            await _set_back(database, space, lease, jobs[0], exc)
            return
        for job in jobs:
            await _embed(database, space, embedder, lease, [job])
        return
    vectors = [(job.chunk_id, Vector(row)) for job, row in zip(jobs, rows, strict=True)]
    await database.maintain(
        partial(store.complete, space_id=space.id, lease=lease, vectors=vectors)
    )


async def _set_back(
    database: Database, space: Space, lease: UUID, job: Job, problem: EmbeddingError
) -> None:
    logger.warning("chunk %d has no vector yet (attempt %d)", job.chunk_id, job.attempts)
    await database.maintain(
        partial(
            store.fail,
            space_id=space.id,
            lease=lease,
            chunk_id=job.chunk_id,
            problem=str(problem),
            most_attempts=_MOST_ATTEMPTS,
        )
    )
