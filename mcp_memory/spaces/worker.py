"""The background work of one process: every open database's queues, round after round."""

import logging
from collections.abc import Sequence
from functools import partial

import anyio

from mcp_memory.backoff import Backoff
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import EmbeddingError, McpMemoryError
from mcp_memory.spaces.embedders import Embedders
from mcp_memory.spaces.filling import fill
from mcp_memory.spaces.known import KnownSpaces
from mcp_memory.spaces.models import Space
from mcp_memory.spaces.queue import store as queue
from mcp_memory.spaces.queue.work import Filler

_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 30.0

logger = logging.getLogger(__name__)


class Worker:
    """Fills the spaces this process has the model of; woken by writes, and slowly by time.

    Time finds what other processes left behind: it looks again when a lease may have run out.
    After a failure it comes back soon, then later and later.
    """

    def __init__(
        self, databases: Databases, embedders: Embedders, known: KnownSpaces, *, batch: int
    ) -> None:
        self._databases, self._embedders = databases, embedders
        self._known, self._batch = known, batch
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
        results: list[float | None] = []

        async def work(database: Database) -> None:
            results.append(await self._work(database))

        async with anyio.create_task_group() as group:
            for database in self._databases.opened():
                group.start_soon(work, database)
        return _soonest(results)

    async def _work(self, database: Database) -> float | None:
        """Fill the database's spaces; the seconds until the next round, None after a failure."""
        try:
            served = filter(self._embedders.serves, await self._known.of(database))
            return _soonest([await self._fill(database, space) for space in served])
        except McpMemoryError as exc:
            logger.warning("vectors of %s wait: %s", database.name, exc)
        except Exception:  # the worker must survive whatever one database does to it
            logger.exception("vectors of %s wait", database.name)
        return None

    async def _fill(self, database: Database, space: Space) -> float | None:
        try:
            embedder = await self._embedders.for_space(space)
            await fill(Filler(database, space, embedder), batch=self._batch)
        except EmbeddingError as exc:
            # Said once; the status of the space goes on saying it.
            level = logging.DEBUG if space.problem == str(exc) else logging.WARNING
            logger.log(level, "vectors of %s in %s wait: %s", space.label, database.name, exc)
            self._known.forget(database)
            return None
        if not space.prepared:
            self._known.forget(database)
        due = await database.maintain(partial(queue.next_due_seconds, space_id=space.id))
        return _MAX_PAUSE_SECONDS if due is None else max(due, _FIRST_PAUSE_SECONDS)


def _soonest(waits: Sequence[float | None]) -> float | None:
    """The shortest of them, and never too long; None when one of them is."""
    seconds = [each for each in waits if each is not None]
    if len(seconds) < len(waits):
        return None
    return min([_MAX_PAUSE_SECONDS, *seconds])
