"""Who is there: every agent is known from its first call of any tool on."""

import logging

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import McpMemoryError
from mcp_memory.messaging.directory import store

_FIRST_CALL_SECONDS = 5.0
_PAUSE_SECONDS = 60.0

logger = logging.getLogger(__name__)


class Presence:
    """Notes which agents call, in each database that their mail lies in.

    The first call in this process waits until the agent is known; later ones only leave a word,
    which is written once a minute. No call fails because it could not be noted.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._noted: set[tuple[str, str]] = set()
        self._due: set[tuple[str, str]] = set()

    async def note(self, agent: str, database: str | None = None) -> None:
        """The agent calls; `database` None is the configured default."""
        visit = (database or self._databases.configured_default, agent)
        if visit in self._noted:
            self._due.add(visit)
            return
        self._noted.add(visit)
        with anyio.move_on_after(_FIRST_CALL_SECONDS) as patience:
            await self._write_if_possible(visit[0], {agent})
        if patience.cancelled_caught:  # the database is still being made: a minute later
            self._due.add(visit)

    async def run_worker(self) -> None:
        """Write down, until cancelled, who has called since the last time."""
        while True:
            await anyio.sleep(_PAUSE_SECONDS)
            due, self._due = self._due, set()
            for name in sorted({database for database, _ in due}):
                await self._write_if_possible(name, {who for where, who in due if where == name})

    async def _write_if_possible(self, name: str, agents: set[str]) -> None:
        try:
            database = await self._databases.writing(name, "")
            await write_down(database, agents)
        except McpMemoryError as exc:
            logger.warning("who called is not noted in %s: %s", name, exc)
        except Exception:  # a call is worth more than the note of it
            logger.exception("who called is not noted in %s", name)


async def write_down(database: Database, agents: set[str]) -> None:
    """Note these agents as seen now."""
    await database.maintain(lambda conn: store.seen(conn, sorted(agents)))
