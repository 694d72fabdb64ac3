"""The SQL that conversations grow by, and of their messages by number or by passage.

Transcripts are never shared: a statement asks for the caller's own rows, and so uses the indexes
that begin with the agent.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mcp_memory.memory.conversations.batch import NEIGHBOUR_CHARS, PreparedMessage
from mcp_memory.memory.conversations.models import (
    ContextChange,
    Conversation,
    Extension,
    Message,
    Neighbour,
    NewChunk,
    StoredMessage,
)
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.findable import INDEXING

_CONVERSATION = """
SELECT s.id, s.session_id, s.source, s.last_seq, s.flushed,
       (SELECT max(u.last_at) FROM summaries u WHERE u.session = s.id) AS summarized_until
FROM sessions s
WHERE s.agent_id = current_agent() AND s.session_id = %(session_id)s
"""


async def conversation(conn: Connection, session_id: str) -> Conversation | None:
    """The caller's own conversation of that id."""
    async with conn.cursor(row_factory=class_row(Conversation)) as cursor:
        return await (await cursor.execute(_CONVERSATION, {"session_id": session_id})).fetchone()


# What follows in the transaction knows by the setting which conversation it has locked.
_LOCK = """
SELECT s.id, s.session_id, s.source, s.last_seq, s.flushed,
       (SELECT max(u.last_at) FROM summaries u WHERE u.session = s.id) AS summarized_until,
       set_config('mcp_memory.locked_session', s.id::text, true)
FROM sessions s
WHERE s.agent_id = current_agent() AND s.session_id = %(session_id)s
FOR NO KEY UPDATE OF s
"""


async def lock(conn: Connection, session_id: str) -> Conversation | None:
    """The caller's own conversation; until the transaction ends nobody else adds to it.

    Invariant: seq runs from 1 to last_seq without gaps, whoever writes.
    """
    row = await (await conn.execute(_LOCK, {"session_id": session_id})).fetchone()
    return None if row is None else Conversation(*row[:-1])


_ADD_CONVERSATION = """
INSERT INTO sessions (agent_id, session_id, source)
VALUES (current_agent(), %(session_id)s, %(source)s)
ON CONFLICT (agent_id, session_id) DO NOTHING
"""


async def add_conversation(conn: Connection, session_id: str, source: str) -> bool:
    """Begin the conversation; False when somebody else just did."""
    parameters = {"session_id": session_id, "source": source}
    return (await conn.execute(_ADD_CONVERSATION, parameters)).rowcount == 1


# A conversation that began after the lock found none is not locked, and not added to.
_ADD_MESSAGES = """
INSERT INTO session_messages (agent_id, session, seq, external_id, role, speaker, source, content,
                              tokens, metadata, created_at)
SELECT s.agent_id, s.id, s.last_seq + row_number() OVER (ORDER BY n.place), n.external_id, n.role,
       n.speaker, coalesce(nullif(%(source)s, ''), s.source), n.content, n.tokens, n.metadata,
       coalesce(n.created_at, clock_timestamp())
FROM sessions s
CROSS JOIN unnest(%(ids)s::text[], %(roles)s::text[], %(speakers)s::text[], %(contents)s::text[],
                  %(tokens)s::integer[], %(metadata)s::jsonb[], %(instants)s::timestamptz[])
     WITH ORDINALITY n (external_id, role, speaker, content, tokens, metadata, created_at, place)
WHERE s.agent_id = current_agent() AND s.session_id = %(session_id)s
  AND s.id::text = current_setting('mcp_memory.locked_session', true)
  AND NOT EXISTS (SELECT FROM session_messages m
                  WHERE m.session = s.id AND m.external_id = n.external_id)
RETURNING id, seq, external_id, created_at
"""

# What was added comes after the conversation's last_seq, which is moved at the end. Two messages
# past both ends: one whose window changes, and that one's other neighbour.
_NEIGHBOURS = """
WITH s AS (
    SELECT id, last_seq FROM sessions
    WHERE agent_id = current_agent() AND session_id = %(session_id)s
), added AS (
    SELECT m.created_at, m.seq
    FROM s
    JOIN session_messages m ON m.session = s.id AND m.seq > s.last_seq AND m.role <> 'tool'
), first AS (
    SELECT s.id, a.created_at, a.seq FROM s, added a ORDER BY a.created_at, a.seq LIMIT 1
), last AS (
    SELECT s.id, a.created_at, a.seq FROM s, added a ORDER BY a.created_at DESC, a.seq DESC LIMIT 1
), near AS (
    SELECT b.* FROM first CROSS JOIN LATERAL (
        SELECT id, seq, created_at, role, speaker, content FROM session_messages
        WHERE session = first.id AND role <> 'tool'
          AND (created_at, seq) < (first.created_at, first.seq)
        ORDER BY created_at DESC, seq DESC LIMIT 2) b
    UNION ALL
    SELECT m.id, m.seq, m.created_at, m.role, m.speaker, m.content
    FROM first, last, session_messages m
    WHERE m.session = first.id AND m.role <> 'tool'
      AND (m.created_at, m.seq) >= (first.created_at, first.seq)
      AND (m.created_at, m.seq) <= (last.created_at, last.seq)
    UNION ALL
    SELECT e.* FROM last CROSS JOIN LATERAL (
        SELECT id, seq, created_at, role, speaker, content FROM session_messages
        WHERE session = last.id AND role <> 'tool'
          AND (created_at, seq) > (last.created_at, last.seq)
        ORDER BY created_at, seq LIMIT 2) e
)
SELECT n.id AS message, n.seq, n.created_at, coalesce(nullif(n.speaker, ''), n.role) AS name,
       left(n.content, %(chars)s) AS head, right(n.content, %(chars)s) AS tail, c.text
FROM near n
LEFT JOIN chunks c ON c.message_id = n.id AND c.position = 0 AND c.context IS NOT NULL
ORDER BY n.created_at, n.seq
"""


async def extend(
    conn: Connection, session_id: str, source: str, messages: Sequence[PreparedMessage]
) -> Extension:
    """Lock the conversation and add at its end those messages that it does not have yet.

    What stands around them reaches two messages past both ends. Without such a conversation
    nothing happens.
    """
    parameters = {
        "session_id": session_id,
        "source": source,
        "ids": [entry.message.id for entry in messages],
        "roles": [entry.message.role for entry in messages],
        "speakers": [entry.message.speaker for entry in messages],
        "contents": [entry.message.content for entry in messages],
        "tokens": [entry.tokens for entry in messages],
        "metadata": [Jsonb(dict(entry.message.metadata)) for entry in messages],
        "instants": [entry.message.created_at for entry in messages],
        "chars": NEIGHBOUR_CHARS,
    }
    # One journey to the server: each statement sees what the ones before it have done.
    async with conn.pipeline():
        lock_rows = await conn.execute(_LOCK, {"session_id": session_id})
        added_rows = await conn.execute(_ADD_MESSAGES, parameters)
        neighbour_rows = await conn.execute(_NEIGHBOURS, parameters)
        row = await lock_rows.fetchone()
        return Extension(
            None if row is None else Conversation(*row[:-1]),
            [StoredMessage(*row) for row in await added_rows.fetchall()],
            [Neighbour(*row) for row in await neighbour_rows.fetchall()],
        )


_ADD_CHUNKS = """
INSERT INTO chunks (agent_id, source, message_id, session, seq, role, speaker, origin, position,
                    path, title, heading, start_line, end_line, text, text_hash, tokens, lexemes,
                    context, occurred_at, indexed_by)
SELECT current_agent(), 'transcripts', m.id, m.session, m.seq, m.role, m.speaker, m.source,
       n.position, %(path)s, coalesce(nullif(m.speaker, ''), m.role), n.heading, n.start_line,
       n.end_line, n.text, n.text_hash, n.tokens, n.lexemes, n.context, m.created_at,
       %(indexing)s
FROM unnest(%(messages)s::bigint[], %(positions)s::integer[], %(headings)s::text[],
            %(start_lines)s::integer[], %(end_lines)s::integer[], %(texts)s::text[],
            %(hashes)s::bytea[], %(tokens)s::integer[], %(lexemes)s::tsvector[],
            %(contexts)s::text[])
     n (message, position, heading, start_line, end_line, text, text_hash, tokens, lexemes, context)
JOIN session_messages m ON m.id = n.message
ORDER BY m.seq, n.position
"""


async def add_chunks(
    conn: Connection, conversation: Conversation, chunks: Sequence[NewChunk]
) -> None:
    """Index passages of messages that were just added."""
    passages = [chunk.passage for chunk in chunks]
    await conn.execute(
        _ADD_CHUNKS,
        {
            "path": conversation.session_id,
            "messages": [chunk.message for chunk in chunks],
            "positions": [passage.position for passage in passages],
            "headings": [passage.heading for passage in passages],
            "start_lines": [passage.start_line for passage in passages],
            "end_lines": [passage.end_line for passage in passages],
            "texts": [passage.text for passage in passages],
            "hashes": [chunk.text_hash for chunk in chunks],
            "tokens": [passage.tokens for passage in passages],
            "lexemes": [passage.lexemes for passage in passages],
            "contexts": [chunk.context for chunk in chunks],
            "indexing": INDEXING,
        },
    )


_CHANGE_CONTEXTS = """
UPDATE chunks c
SET context = n.context, text_hash = n.text_hash
FROM unnest(%(messages)s::bigint[], %(contexts)s::text[], %(hashes)s::bytea[])
     n (message, context, text_hash)
WHERE c.message_id = n.message AND c.position = 0 AND c.text_hash <> n.text_hash
"""


async def change_contexts(conn: Connection, changes: Sequence[ContextChange]) -> None:
    """Give passages of messages their new windows; their vectors are asked for again."""
    await conn.execute(
        _CHANGE_CONTEXTS,
        {
            "messages": [change.message for change in changes],
            "contexts": [change.context for change in changes],
            "hashes": [change.text_hash for change in changes],
        },
    )


_GROW = """
UPDATE sessions
SET last_seq = last_seq + %(added)s,
    messages = messages + %(added)s,
    first_at = least(first_at, %(first_at)s),
    last_at = greatest(last_at, %(last_at)s),
    flushed = coalesce(%(flushed)s, flushed)
WHERE id = %(id)s
"""


async def grow(
    conn: Connection,
    conversation: Conversation,
    *,
    added: int,
    first_at: datetime | None,
    last_at: datetime | None,
    flushed: int | None,
) -> None:
    """Take note of what was added; the conversation must be locked."""
    await conn.execute(
        _GROW,
        {
            "id": conversation.id,
            "added": added,
            "first_at": first_at,
            "last_at": last_at,
            "flushed": flushed,
        },
    )


_BY_SEQ = """
SELECT m.external_id AS id, s.session_id, m.seq, m.role, m.speaker, m.content, m.created_at,
       m.source, m.metadata
FROM sessions s
JOIN session_messages m ON m.session = s.id
WHERE s.id = %(session)s AND m.seq BETWEEN %(seq_from)s AND %(seq_to)s
ORDER BY m.seq
LIMIT %(limit)s
"""


async def by_seq(
    conn: Connection, conversation: int, seq_from: int, seq_to: int, limit: int
) -> list[Message]:
    """Messages of the conversation by their numbers, inclusive."""
    parameters = {
        "session": conversation,
        "seq_from": seq_from,
        "seq_to": seq_to,
        "limit": limit,
    }
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        return await (await cursor.execute(_BY_SEQ, parameters)).fetchall()


_TEXTS = """
SELECT c.id AS chunk_id, m.external_id AS id, s.session_id, m.session, m.seq, m.role, m.speaker,
       CASE WHEN EXISTS (SELECT FROM chunks o WHERE o.message_id = m.id AND o.position > 0)
            THEN c.text ELSE m.content END AS content,
       m.created_at, m.source, m.metadata
FROM chunks c
JOIN session_messages m ON m.id = c.message_id
JOIN sessions s ON s.id = m.session
WHERE c.id = ANY (%(ids)s)
"""


async def of_chunks(conn: Connection, ids: Sequence[int]) -> dict[int, tuple[int, Message]]:
    """By chunk: the conversation's number, and the message, of a long one that chunk's text."""
    rows = await (await conn.execute(_TEXTS, {"ids": list(ids)})).fetchall()
    return {
        int(row[0]): (
            int(row[3]),
            Message(row[1], row[2], row[4], row[5], row[6], row[7], row[8], row[9], row[10]),
        )
        for row in rows
    }
