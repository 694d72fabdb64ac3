"""Embedding what is due in one space: made ready, its queue emptied, its trouble written down."""

from collections.abc import Callable

from mcp_memory.db.database import Database
from mcp_memory.errors import EmbeddingError
from mcp_memory.spaces import store
from mcp_memory.spaces.models import Space
from mcp_memory.spaces.queue.drain import embed_all_batches
from mcp_memory.spaces.queue.work import EmbeddingTarget


async def prepare(database: Database, space: Space) -> None:
    """Give a new space its index, and queue what is older than it; cheap when that was done.

    The queue is looked through until nothing is missing: the last look finds what somebody was
    about to delete during the one before, and did not.
    """
    if space.prepared:
        return
    async with database.maintaining() as conn:
        await store.index(conn, space.id)
    await queue_all_missing(database, space)
    async with database.maintaining() as conn:
        await store.mark_prepared(conn, space.id)


async def queue_all_missing(database: Database, space: Space) -> None:
    """Queue whatever the space has neither a vector nor a job for."""
    is_complete = False
    while not is_complete:
        # Each part is a transaction of its own: writers wait for no longer one.
        async with database.maintaining() as conn:
            is_complete = not await store.queue_missing(conn, space.id)


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
        await store.report(conn, target.space.id, problem=problem)
