"""How common each word is: counted per owner, behind the writers, for search to weigh by."""

from functools import partial
from itertools import count
from weakref import WeakKeyDictionary

from mcp_memory.background import attempt, every
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database

_PAUSE_SECONDS = 2.0
# Other processes' changes are theirs to merge; what one of them left behind is found by this.
_ROUNDS_BETWEEN_LOOKS = 30
_CHANGES_AT_ONCE = 1000
_WHAT = "word counts"


class WordCounts:
    """The word counts of every named database, near the truth: soon after writes, and before a
    purge is over."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._rounds: WeakKeyDictionary[Database, count[int]] = WeakKeyDictionary()
        self._merged: WeakKeyDictionary[Database, int] = WeakKeyDictionary()

    async def merge(self, database: Database) -> None:
        """Add every change that has been committed to the counts, which then hold no word of
        what was purged."""
        changes = _CHANGES_AT_ONCE
        while changes == _CHANGES_AT_ONCE:
            async with database.maintaining() as conn:
                changes = await _merge(conn)

    async def run_worker(self) -> None:
        """Merge, until cancelled, what is written to the open databases."""
        await every(_PAUSE_SECONDS, _WHAT, self._merge_when_due, self._databases.list_open)

    async def finish(self) -> None:
        """Merge what this process has written, for whoever ends before the worker comes to it."""
        for database in self._databases.list_open():
            if database.writes:
                await self.merge_if_possible(database)

    async def merge_if_possible(self, database: Database) -> None:
        """The same for whoever has committed something and must not hear otherwise.

        What could not be merged now is merged by the next round of any process.
        """
        await attempt(f"{_WHAT} of {database.name}", partial(self.merge, database))

    async def _merge_when_due(self, database: Database) -> None:
        rounds = next(self._rounds.setdefault(database, count()))
        if rounds % _ROUNDS_BETWEEN_LOOKS == 0 or self._merged.get(database) != database.writes:
            self._merged[database] = database.writes
            await self.merge(database)


async def _merge(conn: Connection) -> int:
    """Add noted changes to the counts; how many there were. Run as the worker."""
    cursor = await conn.execute("SELECT merge_lexemes(%(most)s)", {"most": _CHANGES_AT_ONCE})
    row = await cursor.fetchone()
    assert row is not None
    return int(row[0])
