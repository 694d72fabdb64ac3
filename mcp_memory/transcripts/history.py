"""The SQL that reads conversations back: messages, lists, silences and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.transcripts.models import ConversationInfo, Gap, Message, MessageFilter, Stats

# What one LIMIT of the statement below gives back whole.
MAX_BY_ID = 1000

_BY_IDS = """
SELECT m.external_id AS id, s.session_id, m.seq, m.role, m.speaker, m.content, m.created_at,
       m.source, m.metadata
FROM session_messages m
JOIN sessions s ON s.id = m.session
WHERE m.agent_id = current_agent() AND m.external_id = ANY (%(ids)s)
  AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
ORDER BY s.session_id, m.seq
LIMIT 1000
"""


async def by_ids(conn: Connection, ids: Sequence[str], session_id: str | None) -> list[Message]:
    """The caller's own messages of these ids, which may occur once in each conversation."""
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        rows = await cursor.execute(_BY_IDS, {"ids": list(ids), "session_id": session_id})
        return await rows.fetchall()


@dataclass(frozen=True, slots=True)
class Position:
    """After what a page begins: an instant, a conversation, and a message of it."""

    at: datetime
    session_id: str
    seq: int


_RECENT = """
SELECT m.external_id AS id, s.session_id, m.seq, m.role, m.speaker, m.content, m.created_at,
       m.source, m.metadata
FROM session_messages m
JOIN sessions s ON s.id = m.session
WHERE m.agent_id = current_agent()
  AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
  AND (%(roles)s::text[] IS NULL OR m.role = ANY (%(roles)s))
  AND (%(speaker)s::text IS NULL OR lower(m.speaker) = lower(%(speaker)s))
  AND (%(sources)s::text[] IS NULL OR m.source = ANY (%(sources)s))
  AND (%(exclude_sources)s::text[] IS NULL OR m.source <> ALL (%(exclude_sources)s))
  AND (%(since)s::timestamptz IS NULL OR m.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR m.created_at < %(until)s)
  AND m.created_at <= coalesce(%(at)s::timestamptz, 'infinity')
  AND (%(at)s::timestamptz IS NULL
       OR (m.created_at, s.session_id, m.seq) < (%(at)s, %(of)s::text, %(seq)s::bigint))
ORDER BY m.created_at DESC, s.session_id DESC, m.seq DESC
LIMIT %(limit)s
"""


async def recent(
    conn: Connection, filter: MessageFilter, limit: int, before: Position | None
) -> list[Message]:
    """The caller's own messages, newest first, from that position on."""
    parameters = {
        "session_id": filter.session_id,
        "roles": filter.roles,
        "speaker": filter.speaker,
        **_parameters(filter, limit, before),
    }
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        return await (await cursor.execute(_RECENT, parameters)).fetchall()


def _parameters(filter: MessageFilter, limit: int, before: Position | None) -> dict[str, object]:
    """What both lists are narrowed by, and where their page begins."""
    sources, exclude_sources = filter.sources, filter.exclude_sources
    return {
        "sources": None if sources is None else list(sources),
        "exclude_sources": None if exclude_sources is None else list(exclude_sources),
        "since": filter.since,
        "until": filter.until,
        "limit": limit,
        "at": before.at if before else None,
        "of": before.session_id if before else "",
        "seq": before.seq if before else 0,
    }


_GAPS = """
SELECT session_id, start_at AS start, end_at AS "end",
       round(extract(epoch FROM end_at - start_at) / 3600, 2)::float8 AS hours, last_message_id
FROM (
    SELECT s.session_id, m.created_at AS start_at, m.external_id AS last_message_id,
           lead(m.created_at) OVER (PARTITION BY m.session ORDER BY m.created_at, m.seq) AS end_at
    FROM session_messages m
    JOIN sessions s ON s.id = m.session
    WHERE m.agent_id = current_agent() AND m.role = 'user'
      AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
) silence
WHERE end_at - start_at >= make_interval(secs => %(min_seconds)s)
ORDER BY end_at DESC, session_id
LIMIT %(limit)s
"""


async def gaps(
    conn: Connection, *, min_hours: float, session_id: str | None, limit: int
) -> list[Gap]:
    """Silences between a person's messages in one conversation, the one that ended last first."""
    parameters = {"min_seconds": min_hours * 3600, "session_id": session_id, "limit": limit}
    async with conn.cursor(row_factory=class_row(Gap)) as cursor:
        return await (await cursor.execute(_GAPS, parameters)).fetchall()


_CONVERSATIONS = """
SELECT session_id, messages, first_at, last_at, source
FROM sessions
WHERE agent_id = current_agent() AND messages > 0
  AND (%(sources)s::text[] IS NULL OR source = ANY (%(sources)s))
  AND (%(exclude_sources)s::text[] IS NULL OR source <> ALL (%(exclude_sources)s))
  AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR first_at < %(until)s)
  AND (%(at)s::timestamptz IS NULL OR (last_at, session_id) < (%(at)s, %(of)s::text))
ORDER BY last_at DESC, session_id DESC
LIMIT %(limit)s
"""


async def conversations(
    conn: Connection, filter: MessageFilter, limit: int, before: Position | None
) -> list[ConversationInfo]:
    """The caller's own conversations, the last active first, from that position on."""
    parameters = _parameters(filter, limit, before)
    async with conn.cursor(row_factory=class_row(ConversationInfo)) as cursor:
        return await (await cursor.execute(_CONVERSATIONS, parameters)).fetchall()


_STATS = """
SELECT count(*)::integer AS sessions,
       coalesce(sum(messages), 0)::integer AS messages,
       (SELECT count(*) FROM chunks c
        WHERE c.agent_id = current_agent() AND c.source = 'transcripts')::integer AS chunks,
       (SELECT count(*) FROM vector_jobs j
        JOIN vector_spaces e ON e.id = j.space_id AND e.state = 'active'
        JOIN chunks c ON c.id = j.chunk_id AND c.source = 'transcripts'
        WHERE j.agent_id = current_agent())::integer AS pending_embeddings,
       (SELECT count(*) FROM summaries u WHERE u.agent_id = current_agent())::integer AS summaries,
       min(first_at) AS first_at,
       max(last_at) AS last_at
FROM sessions
WHERE agent_id = current_agent() AND messages > 0
"""


async def stats(conn: Connection) -> Stats:
    """How much there is of the caller's own."""
    async with conn.cursor(row_factory=class_row(Stats)) as cursor:
        row = await (await cursor.execute(_STATS)).fetchone()
    assert row is not None
    return row


_COUNT = """
SELECT count(*), coalesce(sum(messages), 0)
FROM sessions
WHERE agent_id = current_agent() AND messages > 0
"""


async def count(conn: Connection) -> tuple[int, int]:
    """How many conversations and messages the caller has."""
    row = await (await conn.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
