"""Reading around a search result, whatever kind of memory it is of; row-level security decides."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.errors import ChunkNotFound
from mcp_memory.memory.documents import service
from mcp_memory.memory.documents.models import Excerpt
from mcp_memory.memory.facts.model import FactType, Trust, fact_id
from mcp_memory.memory.facts.provenance import caution
from mcp_memory.memory.facts.query import EntityName
from mcp_memory.memory.facts.rows import get_entity_names
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.chunking import split_lines

_CHUNK_ID = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, slots=True)
class FactExcerpt(Excerpt):
    """Lines of what a version of a fact says, and what a reader must know of it.

    It is true from `valid_from` until `valid_until`, as far as is known; None has no bound.
    """

    memory_id: str
    memory_type: FactType
    entities: list[EntityName]
    valid_from: datetime | None
    valid_until: datetime | None
    trust: Trust
    caution: str


async def read_context(conn: Connection, result_id: str) -> Excerpt:
    """The lines of a result together with its neighbours'; of messages an excerpt like another."""
    number = int(result_id) if _CHUNK_ID.fullmatch(result_id) else -1
    if 0 <= number < 2**63:
        for around in (service.around, _around_fact, _around_messages):
            if (excerpt := await around(conn, number)) is not None:
                return excerpt
    raise ChunkNotFound(result_id)


@dataclass(frozen=True, slots=True)
class _FactLines:
    """A version of a fact; the lines are those of the chunk with its neighbours."""

    memory_id: int
    version: int
    agent_id: str
    memory_type: FactType
    content: str
    source: str
    trust: Trust
    valid_from: datetime | None
    valid_until: datetime | None
    recorded_at: datetime
    start_line: int
    end_line: int


# What is true at no time, or has expired, is no search result.
_OF_FACT = """
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


async def _around_fact(conn: Connection, chunk_id: int) -> FactExcerpt | None:
    async with conn.cursor(row_factory=class_row(_FactLines)) as cursor:
        fact = await (await cursor.execute(_OF_FACT, {"chunk_id": chunk_id})).fetchone()
    if fact is None:
        return None
    lines = split_lines(fact.content)
    text = "\n".join(lines[fact.start_line - 1 : fact.end_line])
    version = fact.memory_id, fact.version
    return FactExcerpt(
        path=f"graph/{fact_id(fact.memory_id)}",
        text=text,
        start_line=fact.start_line,
        end_line=fact.end_line,
        total_lines=len(lines),
        version=fact.version,
        updated_at=fact.recorded_at,
        owner=fact.agent_id,
        memory_id=fact_id(fact.memory_id),
        memory_type=fact.memory_type,
        entities=(await get_entity_names(conn, [version])).get(version, []),
        valid_from=fact.valid_from,
        valid_until=fact.valid_until,
        trust=fact.trust,
        caution=caution(fact.trust, fact.source, text),
    )


@dataclass(frozen=True, slots=True)
class _MessageLines:
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


async def _around_messages(conn: Connection, chunk_id: int) -> Excerpt | None:
    """Each message counts as a line: the numbers are those of messages in the conversation."""
    async with conn.cursor(row_factory=class_row(_MessageLines)) as cursor:
        messages = await (await cursor.execute(_OF_MESSAGES, {"chunk_id": chunk_id})).fetchall()
    if not messages:
        return None
    first, last = messages[0], messages[-1]
    return Excerpt(
        path=first.session_id,
        text=_dialogue(messages),
        start_line=first.seq,
        end_line=last.seq,
        total_lines=first.messages,
        version=1,
        updated_at=last.created_at,
        owner=first.agent_id,
    )


def _dialogue(messages: Sequence[_MessageLines]) -> str:
    """Who says what, one after the other; of a long message only the lines that are near."""
    return "\n".join(
        f"{message.name}: "
        + "\n".join(split_lines(message.content)[message.start_line - 1 : message.end_line])
        for message in messages
    )
