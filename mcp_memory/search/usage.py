"""How often each passage was of use: counted in memory, written off the path of any answer."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakKeyDictionary

import anyio

from mcp_memory.background import attempt, every
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Database, Session

_PAUSE_SECONDS = 5.0
# What ends takes its counts along, unless the database does not answer in time.
_LAST_SECONDS = 2.0
# So many different passages can wait; beyond that, what nobody has counted yet stays uncounted.
_MAX_WAITING = 100_000
_WHAT = "usage counts"


@dataclass(frozen=True, slots=True)
class Use:
    """A chunk in somebody's hands."""

    chunk_id: int
    agent: str


@dataclass(frozen=True, slots=True)
class Uses:
    """How often it stood in an answer, and how often it was read by its id."""

    returned: int = 0
    fetched: int = 0

    def __add__(self, other: "Uses") -> "Uses":
        return Uses(self.returned + other.returned, self.fetched + other.fetched)


class Usage:
    """The uses of every named database that are not written yet.

    A process that is killed loses the counts of its last seconds, and nothing else.
    """

    def __init__(self) -> None:
        self._waiting: WeakKeyDictionary[Database, dict[Use, Uses]] = WeakKeyDictionary()

    def count(self, database: Database, agent: str, ids: Iterable[int], uses: Uses) -> None:
        """Remember that the agent used these chunks; writes nothing."""
        waiting = self._waiting.setdefault(database, {})
        for chunk_id in ids:
            use = Use(chunk_id, agent)
            if use in waiting or len(waiting) < _MAX_WAITING:
                waiting[use] = waiting.get(use, Uses()) + uses

    async def count_fetch(self, session: Session, chunk_id: str) -> None:
        """Remember that the agent read around a search result."""
        self.count(await session.open(), session.agent, [int(chunk_id)], Uses(fetched=1))

    async def flush(self, database: Database) -> None:
        """Add what waits to the table. When it fails, the counts wait for the next time."""
        counts = self._waiting.pop(database, {})
        if not counts:
            return
        try:
            async with database.maintaining() as conn:
                await add_uses(conn, counts)
        except BaseException:
            waiting = self._waiting.setdefault(database, {})
            for use, uses in counts.items():
                waiting[use] = waiting.get(use, Uses()) + uses
            raise

    async def run_worker(self) -> None:
        """Flush what waits until cancelled, and then once more."""
        try:
            await every(_PAUSE_SECONDS, _WHAT, self.flush, lambda: [*self._waiting])
        finally:
            with anyio.move_on_after(_LAST_SECONDS, shield=True):
                for database in [*self._waiting]:
                    await attempt(f"{_WHAT} of {database.name}", partial(self.flush, database))


_ADD = "SELECT add_usage(%(ids)s, %(agents)s, %(returned)s, %(fetched)s)"


async def add_uses(conn: Connection, counts: Mapping[Use, Uses]) -> None:
    """Add these to what is counted; run as the worker."""
    parameters = {
        "ids": [use.chunk_id for use in counts],
        "agents": [use.agent for use in counts],
        "returned": [uses.returned for uses in counts.values()],
        "fetched": [uses.fetched for uses in counts.values()],
    }
    await conn.execute(_ADD, parameters)


_OF_CHUNKS = """
SELECT chunk_id, returned, fetched
FROM chunk_usage
WHERE chunk_id = ANY (%(ids)s) AND agent_id = current_agent()
"""


async def uses_of(conn: Connection, ids: Sequence[int]) -> dict[int, Uses]:
    """The caller's own uses of these chunks, where there are any."""
    rows = await (await conn.execute(_OF_CHUNKS, {"ids": list(ids)})).fetchall()
    return {int(row[0]): Uses(int(row[1]), int(row[2])) for row in rows}
