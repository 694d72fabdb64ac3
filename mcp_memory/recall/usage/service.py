"""Counting uses in this process, and adding them to each database's table now and then."""

import logging
from collections.abc import Iterable
from functools import partial
from weakref import WeakKeyDictionary

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import McpMemoryError
from mcp_memory.recall.usage import store
from mcp_memory.recall.usage.models import Used, Uses

_PAUSE_SECONDS = 5.0
# What ends takes its counts along, unless the database does not answer in time.
_LAST_SECONDS = 2.0
# So many different passages can wait; beyond that, what nobody has counted yet stays uncounted.
_MAX_WAITING = 100_000

logger = logging.getLogger(__name__)


class Usage:
    """The uses of every named database that are not written yet.

    A process that is killed loses the counts of its last seconds, and nothing else.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._waiting: WeakKeyDictionary[Database, dict[Used, Uses]] = WeakKeyDictionary()

    def count(self, database: Database, agent: str, ids: Iterable[int], uses: Uses) -> None:
        """Remember that the agent used these chunks; writes nothing."""
        waiting = self._waiting.setdefault(database, {})
        for chunk_id in ids:
            used = Used(chunk_id, agent)
            if used in waiting or len(waiting) < _MAX_WAITING:
                waiting[used] = waiting.get(used, Uses()) + uses

    async def fetched(self, agent: str, chunk_id: str, *, database: str | None = None) -> None:
        """Remember that the agent read around a search result."""
        chosen = await self._databases.reading(database, agent)
        self.count(chosen, agent, [int(chunk_id)], Uses(fetched=1))

    async def flush(self, database: Database) -> None:
        """Add what waits to the table. When it fails, the counts wait for the next time."""
        counts = self._waiting.pop(database, {})
        if not counts:
            return
        try:
            await database.maintain(partial(store.add, counts=counts))
        except BaseException:
            waiting = self._waiting.setdefault(database, {})
            for used, uses in counts.items():
                waiting[used] = waiting.get(used, Uses()) + uses
            raise

    async def run_worker(self) -> None:
        """Flush the open databases until cancelled, and then once more."""
        try:
            while True:
                await anyio.sleep(_PAUSE_SECONDS)
                await self._flush_all()
        finally:
            with anyio.move_on_after(_LAST_SECONDS, shield=True):
                await self._flush_all()

    async def _flush_all(self) -> None:
        for database in list(self._waiting):
            try:
                await self.flush(database)
            except McpMemoryError as exc:
                logger.info("usage counts of %s wait: %s", database.name, exc)
            except Exception:  # the worker must survive whatever one database does to it
                logger.exception("usage counts of %s wait", database.name)
