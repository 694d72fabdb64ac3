"""Keeping the word counts near the truth: soon after writes, and before a purge is over."""

import logging
from itertools import count

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import McpMemoryError
from mcp_memory.lexicon import store

_PAUSE_SECONDS = 2.0
# Other processes' changes are theirs to merge; what one of them left behind is found by this.
_ROUNDS_BETWEEN_LOOKS = 30

logger = logging.getLogger(__name__)


class Lexicon:
    """The word counts of every named database."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def merge(self, database: Database) -> None:
        """Add every change that has been committed to the counts, which then hold no word of
        what was purged."""
        while await database.maintain(store.merge) == store.CHANGES_AT_ONCE:
            continue

    async def run_worker(self) -> None:
        """Merge, until cancelled, what is written to the open databases."""
        seen: dict[str, int] = {}
        for rounds in count():
            for database in self._databases.opened():
                is_due = seen.get(database.name) != database.writes
                if is_due or rounds % _ROUNDS_BETWEEN_LOOKS == 0:
                    seen[database.name] = database.writes
                    await self.merge_if_possible(database)
            await anyio.sleep(_PAUSE_SECONDS)

    async def finish(self) -> None:
        """Merge what this process has written, for whoever ends before the worker comes to it."""
        for database in self._databases.opened():
            if database.writes:
                await self.merge_if_possible(database)

    async def merge_if_possible(self, database: Database) -> None:
        """The same for whoever has committed something and must not be told otherwise.

        What could not be merged now is merged by the next round of any process.
        """
        try:
            await self.merge(database)
        except McpMemoryError as exc:
            logger.warning("word counts of %s wait: %s", database.name, exc)
        except Exception:  # the worker must survive whatever one database does to it
            logger.exception("word counts of %s wait", database.name)
