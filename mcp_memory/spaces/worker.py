"""The background work of one process: every open database's queues, round after round."""

import logging
from collections.abc import Sequence
from functools import partial

import anyio

from mcp_memory.background import attempt
from mcp_memory.backoff import Backoff
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import EmbeddingError
from mcp_memory.spaces.embedders import Embedders
from mcp_memory.spaces.filling import embed_due
from mcp_memory.spaces.known import SpaceCache
from mcp_memory.spaces.models import Space
from mcp_memory.spaces.queue import store as queue
from mcp_memory.spaces.queue.work import EmbeddingTarget

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
        self._woken = anyio.Event()

    def wake(self) -> None:
        """Begin the next round now."""
        self._woken.set()

    async def run(self) -> None:
        """Work until cancelled."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
        while True:
            self._woken = anyio.Event()
            wait_seconds = await self._round()
            if wait_seconds is None:
                wait_seconds = backoff.next_seconds()
            else:
                backoff.reset()
            with anyio.move_on_after(wait_seconds):
                await self._woken.wait()

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
            for database in self._databases.opened():
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
