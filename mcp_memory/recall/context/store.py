"""The SQL that reads around a chunk; row-level security decides whether there is one."""

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.graph.models import MemoryType, Trust


@dataclass(frozen=True, slots=True)
class MemoryLines:
    """A version of a memory; the lines are those of the chunk with its neighbours."""

    memory_id: int
    version: int
    agent_id: str
    memory_type: MemoryType
    content: str
    source: str
    trust: Trust
    valid_from: datetime | None
    valid_until: datetime | None
    recorded_at: datetime
    start_line: int
    end_line: int


# What is true at no time, or has expired, is no search result.
_OF_MEMORY = """
SELECT v.memory_id, v.version, v.agent_id, v.memory_type, v.content, v.source, v.trust,
       s.valid_from, s.valid_until, s.recorded_at, n.start_line, n.end_line
FROM chunks c
JOIN memory_versions v ON v.memory_id = c.memory_id AND v.version = c.memory_version
JOIN memory_spans s
    ON s.memory_id = v.memory_id AND s.version = v.version AND s.retired_at IS NULL
CROSS JOIN LATERAL (
    SELECT min(n.start_line) AS start_line, max(n.end_line) AS end_line
    FROM chunks n
    WHERE n.memory_id = c.memory_id AND n.memory_version = c.memory_version
      AND n.position BETWEEN c.position - 1 AND c.position + 1
) n
WHERE c.id = %(chunk_id)s AND NOT isempty(c.truth)
  AND (c.expires_at IS NULL OR c.expires_at > now())
"""


async def of_memory(conn: Connection, chunk_id: int) -> MemoryLines | None:
    """The memory that the chunk is a piece of."""
    async with conn.cursor(row_factory=class_row(MemoryLines)) as cursor:
        return await (await cursor.execute(_OF_MEMORY, {"chunk_id": chunk_id})).fetchone()


@dataclass(frozen=True, slots=True)
class MessageLines:
    """A message of a session that has `messages`; the lines are those near to the chunk."""

    session_id: str
    agent_id: str
    messages: int
    seq: int
    name: str
    content: str
    created_at: datetime
    start_line: int
    end_line: int


# A long message is many pieces: the one before and the one after, in the session's order.
_OF_MESSAGES = """
WITH near AS (
    SELECT n.message_id, n.start_line, n.end_line,
           row_number() OVER ordered AS place,
           max(CASE WHEN n.id = c.id THEN 1 ELSE 0 END) OVER ordered AS is_past
    FROM chunks c
    JOIN chunks n ON n.session = c.session AND n.seq BETWEEN c.seq - 1 AND c.seq + 1
    WHERE c.id = %(chunk_id)s
    WINDOW ordered AS (ORDER BY n.seq, n.position)
), found AS (
    SELECT min(place) AS place FROM near WHERE is_past = 1
)
SELECT s.session_id, s.agent_id, s.last_seq AS messages, m.seq,
       coalesce(nullif(m.speaker, ''), m.role) AS name, m.content, m.created_at,
       min(n.start_line) AS start_line, max(n.end_line) AS end_line
FROM found f
JOIN near n ON n.place BETWEEN f.place - 1 AND f.place + 1
JOIN session_messages m ON m.id = n.message_id
JOIN sessions s ON s.id = m.session
GROUP BY s.id, m.id
ORDER BY m.seq
"""


async def of_messages(conn: Connection, chunk_id: int) -> list[MessageLines]:
    """The message that the chunk is a piece of and those beside it; none if it is of none."""
    async with conn.cursor(row_factory=class_row(MessageLines)) as cursor:
        return await (await cursor.execute(_OF_MESSAGES, {"chunk_id": chunk_id})).fetchall()
