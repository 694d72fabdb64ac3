"""The tables of agents and of channel subscriptions, and who holds a listening lock."""

from collections.abc import Sequence

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.messaging.models import Channel, KnownAgent

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


async def known_agents(conn: Connection) -> list[str]:
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
