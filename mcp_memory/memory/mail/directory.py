"""Which agents are known, who hears which channel, and who listens now."""

from collections.abc import Sequence
from functools import partial

import anyio
from psycopg.rows import class_row

from mcp_memory.background import attempt
from mcp_memory.errors import InvalidInput
from mcp_memory.memory.mail import model
from mcp_memory.memory.mail.model import Channel, KnownAgent
from mcp_memory.paging import Page, from_cursor
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Session
from mcp_memory.text.terms import is_storable

_NOTE = """
INSERT INTO agents (agent_id)
SELECT agent
FROM unnest(%(agents)s::text[]) agent
ORDER BY agent
ON CONFLICT (agent_id) DO UPDATE SET last_seen = now()
"""


async def note(conn: Connection, agents: Sequence[str]) -> None:
    """Note that these agents are there, now. For the worker."""
    await conn.execute(_NOTE, {"agents": list(agents)})


_KNOWN = """
SELECT agent_id
FROM agents
ORDER BY agent_id
"""


async def list_agents(conn: Connection) -> list[str]:
    """Every known agent, by name."""
    return [str(row[0]) for row in await (await conn.execute(_KNOWN)).fetchall()]


# The parts of a lock's 64-bit key are unsigned.
_AGENTS = """
WITH held AS (
    SELECT (classid::bigint << 32) | objid::bigint AS key
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
)
SELECT agent_id AS agent, first_seen, last_seen,
       listening_key(agent_id) IN (SELECT key FROM held) AS listening
FROM agents
WHERE agent_id > %(after)s
ORDER BY agent_id
LIMIT %(limit)s
"""


async def agents(conn: Connection, limit: int, after: str) -> list[KnownAgent]:
    """Known agents after that name, by name."""
    async with conn.cursor(row_factory=class_row(KnownAgent)) as cursor:
        return await (await cursor.execute(_AGENTS, {"limit": limit, "after": after})).fetchall()


_SUBSCRIBE = """
INSERT INTO channel_subscriptions (agent_id, channel)
VALUES (%(agent)s, %(channel)s)
ON CONFLICT (channel, agent_id) DO NOTHING
"""


async def subscribe(conn: Connection, agent: str, channel: str) -> bool:
    """Let the agent hear the channel; whether it did not before."""
    return (await conn.execute(_SUBSCRIBE, {"agent": agent, "channel": channel})).rowcount == 1


_UNSUBSCRIBE = """
DELETE FROM channel_subscriptions
WHERE agent_id = current_agent() AND channel = %(channel)s
"""


async def unsubscribe(conn: Connection, channel: str) -> bool:
    """Let the caller hear the channel no more; whether it did before."""
    return (await conn.execute(_UNSUBSCRIBE, {"channel": channel})).rowcount == 1


_SUBSCRIBERS = """
SELECT agent_id
FROM channel_subscriptions
WHERE channel = %(channel)s
ORDER BY agent_id
"""


async def subscribers(conn: Connection, channel: str) -> list[str]:
    """Who hears the channel, by name."""
    rows = await (await conn.execute(_SUBSCRIBERS, {"channel": channel})).fetchall()
    return [str(row[0]) for row in rows]


_SUBSCRIPTIONS = """
SELECT channel
FROM channel_subscriptions
WHERE agent_id = current_agent()
ORDER BY channel
"""


async def subscriptions(conn: Connection) -> list[str]:
    """The channels that the caller hears, by name."""
    return [str(row[0]) for row in await (await conn.execute(_SUBSCRIPTIONS)).fetchall()]


_CHANNELS = """
SELECT channel, count(*)::integer AS subscribers,
       bool_or(agent_id = current_agent()) AS subscribed
FROM channel_subscriptions
WHERE channel > %(after)s
GROUP BY channel
ORDER BY channel
LIMIT %(limit)s
"""


async def channels(conn: Connection, limit: int, after: str) -> list[Channel]:
    """Channels that somebody hears, after that one, in their order."""
    async with conn.cursor(row_factory=class_row(Channel)) as cursor:
        return await (await cursor.execute(_CHANNELS, {"limit": limit, "after": after})).fetchall()


_AGENTS_CURSOR, _CHANNELS_CURSOR = "agents", "channels"


class Directory:
    """Who there is in the mail of each named database. All agents may know all of it."""

    async def agents(
        self, session: Session, *, limit: int = 20, cursor: str = ""
    ) -> Page[KnownAgent]:
        """Known agents by name."""
        after = _name_in(_AGENTS_CURSOR, cursor)
        async with session.reading() as conn:
            rows = await agents(conn, limit + 1, after)
        return Page[KnownAgent].of(rows, limit, _AGENTS_CURSOR, lambda row: [row.agent])

    async def channels(
        self, session: Session, *, limit: int = 20, cursor: str = ""
    ) -> Page[Channel]:
        """Channels that somebody hears, by name."""
        after = _name_in(_CHANNELS_CURSOR, cursor)
        async with session.reading() as conn:
            rows = await channels(conn, limit + 1, after)
        return Page[Channel].of(rows, limit, _CHANNELS_CURSOR, lambda row: [row.channel])

    async def subscriptions(self, session: Session) -> Sequence[str]:
        """The channels that the agent hears, by name."""
        async with session.reading() as conn:
            return await subscriptions(conn)

    async def subscribe(self, session: Session, channel: str) -> bool:
        """Hear a channel from now on, restarts included; whether one did not before."""
        model.check_channel(channel)
        async with session.writing(changes_search=False) as conn:
            return await subscribe(conn, session.agent, channel)

    async def unsubscribe(self, session: Session, channel: str) -> bool:
        """Hear a channel no more; whether one did before. Mail that has come stays."""
        model.check_channel(channel)
        async with session.writing(create=False, changes_search=False) as conn:
            return await unsubscribe(conn, channel)


def _name_in(kind: str, cursor: str) -> str:
    """The name that the page before ended with."""
    if not cursor:
        return ""
    match from_cursor(kind, cursor):
        case [str() as name] if is_storable(name):
            return name
        case _:
            raise InvalidInput("cursor", f"is not one of the action {kind}")


# A first call waits so long at most until it is written down that its agent is there.
_FIRST_CALL_SECONDS = 5.0
_PAUSE_SECONDS = 60.0


class Presence:
    """Notes which agents call, in each database that their mail lies in.

    The first call in this process waits until the agent is known; later ones only leave a word,
    which is written once a minute. No call fails because it could not be noted. `noted_agents` are
    those whose calls of this minute are noted where mail usually lies: no more needs to be said.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        # Pairs of database and agent: those that were noted once, and those to be written next.
        self._noted: set[tuple[str, str]] = set()
        self._due: set[tuple[str, str]] = set()
        self.noted_agents: set[str] = set()

    async def note(self, session: Session) -> None:
        """The session's agent calls, in its database."""
        visit = (session.database, session.agent)
        if session.database == self._databases.configured_default:
            self.noted_agents.add(session.agent)
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
            self.noted_agents.clear()
            for name in sorted({database for database, _ in due}):
                agents = {agent for database, agent in due if database == name}
                await self._write_if_possible(name, agents)

    async def _write_if_possible(self, name: str, agents: set[str]) -> None:
        """A call is worth more than the note of it."""
        await attempt(f"noting who calls in {name}", partial(self._write, name, agents))

    async def _write(self, name: str, agents: set[str]) -> None:
        async with Session("", name, self._databases).maintaining() as conn:
            await note(conn, sorted(agents))
