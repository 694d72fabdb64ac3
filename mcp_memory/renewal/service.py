"""Renewal in the background: small steps, as much rest as work, until nothing is left."""

import logging
from collections.abc import Callable
from datetime import tzinfo
from functools import partial

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import McpMemoryError
from mcp_memory.renewal import store
from mcp_memory.renewal.renewing import renew_some

# Some ten milliseconds of work, for which a writer of these very chunks would wait.
_STEP = 50
_PAUSE_SECONDS = 2.0
# An older version may go on writing beside this one.
_ROUNDS_BETWEEN_LOOKS = 30

logger = logging.getLogger(__name__)


class Renewal:
    """Lets old chunks of every named database be found as new ones are."""

    def __init__(self, databases: Databases, zone: tzinfo) -> None:
        self._databases, self._zone = databases, zone

    async def waiting(self, agent: str, *, database: str | None = None) -> int:
        """How many chunks of all agents are not renewed yet."""
        chosen = await self._databases.reading(database, agent)
        return await chosen.maintain(store.waiting)

    async def finish(
        self,
        agent: str,
        *,
        database: str | None = None,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> int:
        """Renew all that is left now, without rest; how many chunks this process did."""
        chosen = await self._databases.writing(database, agent)
        total, done = await chosen.maintain(store.waiting), 0
        while some := await self._step(chosen):
            done += some
            progress(done, max(done, total))
        return done

    async def run_worker(self) -> None:
        """Renew, until cancelled, what the open databases have left from before."""
        rests: dict[str, int] = {}
        while True:
            await anyio.sleep(_PAUSE_SECONDS)
            for database in self._databases.opened():
                rests[database.name] = rests.get(database.name, 0) - 1
                if rests[database.name] < 0:
                    await self._renew_if_possible(database)
                    rests[database.name] = _ROUNDS_BETWEEN_LOOKS

    async def _renew_if_possible(self, database: Database) -> None:
        try:
            await self._renew(database)
        except McpMemoryError as exc:
            logger.warning("what is old in %s is not renewed: %s", database.name, exc)
        except Exception:  # the worker must survive whatever one database does to it
            logger.exception("what is old in %s is not renewed", database.name)

    async def _renew(self, database: Database) -> None:
        done = 0
        while True:
            began = anyio.current_time()
            some = await self._step(database)
            if not some:
                break
            done += some
            await anyio.sleep(anyio.current_time() - began)
        if done:
            logger.info("%d chunks of %s were renewed", done, database.name)

    async def _step(self, database: Database) -> int:
        return await database.maintain(partial(renew_some, zone=self._zone, limit=_STEP))
