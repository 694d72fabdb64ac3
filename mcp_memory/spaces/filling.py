"""Filling one space: made ready, emptied of its jobs, and its trouble written down."""

from collections.abc import Callable
from functools import partial

from mcp_memory.db.database import Database
from mcp_memory.errors import EmbeddingError
from mcp_memory.spaces import store
from mcp_memory.spaces.models import Space
from mcp_memory.spaces.queue.drain import drain
from mcp_memory.spaces.queue.work import Filler


async def prepare(database: Database, space: Space) -> None:
    """Give a new space its index, and queue what is older than it; cheap when that was done.

    The queue is looked through until nothing is missing: the last look finds what somebody was
    about to delete during the one before, and did not.
    """
    if space.prepared:
        return
    await database.maintain(partial(store.index, space_id=space.id))
    await queue_all_missing(database, space)
    await database.maintain(partial(store.mark_prepared, space_id=space.id))


async def queue_all_missing(database: Database, space: Space) -> None:
    """Queue whatever the space has neither a vector nor a job for."""
    while await database.maintain(partial(store.queue_missing, space_id=space.id)):
        pass


async def fill(
    filler: Filler, *, batch: int, on_done: Callable[[int], None] = lambda done: None
) -> int:
    """Embed all that is due in the space; how many chunks. Its status says why, if it cannot."""
    database, space = filler.database, filler.space
    await prepare(database, space)
    try:
        done = await drain(filler, batch=batch, on_done=on_done)
    except EmbeddingError as exc:
        await database.maintain(partial(store.report, space_id=space.id, problem=str(exc)))
        raise
    if done or space.problem:
        await database.maintain(partial(store.report, space_id=space.id, problem=""))
    return done
