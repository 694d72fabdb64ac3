"""Who there is: every agent is known from its first call of any tool on."""

from functools import partial

import anyio

from mcp_memory.background import attempt
from mcp_memory.db.databases import Databases
from mcp_memory.db.session import Session
from mcp_memory.messaging.directory import store

# A first call waits so long at most until it is written down that its agent is there.
_FIRST_CALL_SECONDS = 5.0
_PAUSE_SECONDS = 60.0


class Presence:
    """Notes which agents call, in each database that their mail lies in.

    The first call in this process waits until the agent is known; later ones only leave a word,
    which is written once a minute. No call fails because it could not be noted.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        # Pairs of database and agent: those that were noted once, and those to be written next.
        self._noted: set[tuple[str, str]] = set()
        self._due: set[tuple[str, str]] = set()

    async def note(self, session: Session) -> None:
        """The session's agent calls, in its database."""
        visit = (session.database, session.agent)
        if visit in self._noted:
            self._due.add(visit)
            return
        self._noted.add(visit)
        with anyio.move_on_after(_FIRST_CALL_SECONDS) as patience:
            await self._write_if_possible(session.database, {session.agent})
        if patience.cancelled_caught:  # the database is still being made: a minute later
            self._due.add(visit)

    async def run_worker(self) -> None:
        """Write down, until cancelled, who has called since the last time."""
        while True:
            await anyio.sleep(_PAUSE_SECONDS)
            due, self._due = self._due, set()
            for name in sorted({database for database, _ in due}):
                agents = {agent for database, agent in due if database == name}
                await self._write_if_possible(name, agents)

    async def _write_if_possible(self, name: str, agents: set[str]) -> None:
        """A call is worth more than the note of it."""
        await attempt(f"noting who calls in {name}", partial(self._write, name, agents))

    async def _write(self, name: str, agents: set[str]) -> None:
        async with Session("", name, self._databases).maintaining() as conn:
            await store.note(conn, sorted(agents))
