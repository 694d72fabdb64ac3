"""The SQL of sessions, messages and their chunks: each statement above the function that runs it.

Transcripts are never shared: a statement asks for the caller's own rows, and so uses the indexes
that begin with the agent.
"""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mcp_memory.db.cancellation import Connection
from mcp_memory.text.findable import INDEXING
from mcp_memory.transcripts.models import (
    Gap,
    ListedSession,
    Message,
    MessageFilter,
    NewMessage,
    Piece,
    Session,
    Spoken,
    Stats,
    Stored,
)

_SESSION = """
SELECT s.id, s.session_id, s.source, s.last_seq, s.flushed,
       (SELECT max(u.last_at) FROM summaries u WHERE u.session = s.id) AS summarized_until
FROM sessions s
WHERE s.agent_id = current_agent() AND s.session_id = %(session_id)s
"""


async def session(conn: Connection, session_id: str) -> Session | None:
    """The caller's own session of that id."""
    async with conn.cursor(row_factory=class_row(Session)) as cursor:
        return await (await cursor.execute(_SESSION, {"session_id": session_id})).fetchone()


# What follows in the transaction knows by the setting which session it holds.
_LOCK_SESSION = """
SELECT s.id, s.session_id, s.source, s.last_seq, s.flushed,
       (SELECT max(u.last_at) FROM summaries u WHERE u.session = s.id) AS summarized_until,
       set_config('mcp_memory.locked_session', s.id::text, true)
FROM sessions s
WHERE s.agent_id = current_agent() AND s.session_id = %(session_id)s
FOR NO KEY UPDATE OF s
"""


async def lock_session(conn: Connection, session_id: str) -> Session | None:
    """The caller's own session; until the transaction ends nobody else adds to it.

    Invariant: seq runs from 1 to last_seq without gaps, whoever writes.
    """
    found = await conn.execute(_LOCK_SESSION, {"session_id": session_id})
    row = await found.fetchone()
    return None if row is None else Session(*row[:-1])


_ADD_SESSION = """
INSERT INTO sessions (agent_id, session_id, source)
VALUES (current_agent(), %(session_id)s, %(source)s)
ON CONFLICT (agent_id, session_id) DO NOTHING
"""


async def add_session(conn: Connection, session_id: str, source: str) -> bool:
    """Begin the session; False when somebody else just did."""
    parameters = {"session_id": session_id, "source": source}
    return (await conn.execute(_ADD_SESSION, parameters)).rowcount == 1


# A session that began after the lock was looked for in vain is not held, and not added to.
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

# What was added comes after the session's last_seq, which is moved at the end. Two messages past
# both ends: one whose window changes, and that one's other neighbour.
_SPOKEN = """
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
    conn: Connection,
    session_id: str,
    source: str,
    messages: Sequence[NewMessage],
    tokens: Sequence[int],
    chars: int,
) -> tuple[Session | None, list[Stored], list[Spoken]]:
    """Lock the session and add at its end those messages that it does not have yet.

    Gives the session as it was before, the messages that were added, and the conversation around
    them in its order, two messages past both ends. Without such a session nothing happens.
    """
    parameters = {
        "session_id": session_id,
        "source": source,
        "ids": [message.id for message in messages],
        "roles": [message.role for message in messages],
        "speakers": [message.speaker for message in messages],
        "contents": [message.content for message in messages],
        "tokens": list(tokens),
        "metadata": [Jsonb(dict(message.metadata)) for message in messages],
        "instants": [message.created_at for message in messages],
        "chars": chars,
    }
    # One journey to the server: each statement sees what the ones before it have done.
    async with conn.pipeline():
        locked = await conn.execute(_LOCK_SESSION, {"session_id": session_id})
        added = await conn.execute(_ADD_MESSAGES, parameters)
        spoken = await conn.execute(_SPOKEN, parameters)
        row = await locked.fetchone()
        return (
            None if row is None else Session(*row[:-1]),
            [Stored(*each) for each in await added.fetchall()],
            [Spoken(*each) for each in await spoken.fetchall()],
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
    conn: Connection,
    session: Session,
    chunks: Sequence[tuple[int, Piece, str | None, bytes]],
) -> None:
    """Index pieces of messages: each with its message, its context and what its vector is of."""
    pieces = [piece for _, piece, _, _ in chunks]
    await conn.execute(
        _ADD_CHUNKS,
        {
            "path": session.session_id,
            "messages": [message for message, _, _, _ in chunks],
            "positions": [piece.position for piece in pieces],
            "headings": [piece.heading for piece in pieces],
            "start_lines": [piece.start_line for piece in pieces],
            "end_lines": [piece.end_line for piece in pieces],
            "texts": [piece.text for piece in pieces],
            "hashes": [hashed for _, _, _, hashed in chunks],
            "tokens": [piece.tokens for piece in pieces],
            "lexemes": [piece.lexemes for piece in pieces],
            "contexts": [context for _, _, context, _ in chunks],
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


async def change_contexts(conn: Connection, contexts: Sequence[tuple[int, str, bytes]]) -> None:
    """Give chunks of messages their new windows; their vectors are asked for again."""
    await conn.execute(
        _CHANGE_CONTEXTS,
        {
            "messages": [message for message, _, _ in contexts],
            "contexts": [context for _, context, _ in contexts],
            "hashes": [hashed for _, _, hashed in contexts],
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
    session: Session,
    *,
    added: int,
    first_at: datetime | None,
    last_at: datetime | None,
    flushed: int | None,
) -> None:
    """Take note of what was added; the session must be locked."""
    await conn.execute(
        _GROW,
        {
            "id": session.id,
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
    conn: Connection, session: int, seq_from: int, seq_to: int, limit: int
) -> list[Message]:
    """Messages of the session by their numbers, inclusive."""
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        found = await cursor.execute(
            _BY_SEQ,
            {"session": session, "seq_from": seq_from, "seq_to": seq_to, "limit": limit},
        )
        return await found.fetchall()


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
    """The caller's own messages of these ids, which may occur once in each session."""
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        found = await cursor.execute(_BY_IDS, {"ids": list(ids), "session_id": session_id})
        return await found.fetchall()


# After which a page begins: an instant, a session, and a message of it.
Place = tuple[datetime, str, int]

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
    conn: Connection, wanted: MessageFilter, limit: int, before: Place | None
) -> list[Message]:
    """The caller's own messages, newest first, from that place on."""
    at, of, seq = before or (None, "", 0)
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        found = await cursor.execute(
            _RECENT,
            {
                "session_id": wanted.session_id,
                "roles": wanted.roles,
                "speaker": wanted.speaker,
                "sources": _listed(wanted.sources),
                "exclude_sources": _listed(wanted.exclude_sources),
                "since": wanted.since,
                "until": wanted.until,
                "limit": limit,
                "at": at,
                "of": of,
                "seq": seq,
            },
        )
        return await found.fetchall()


def _listed(names: Sequence[str] | None) -> list[str] | None:
    return None if names is None else list(names)


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
    """Silences between a person's messages in one session, the one that ended last first."""
    parameters = {"min_seconds": min_hours * 3600, "session_id": session_id, "limit": limit}
    async with conn.cursor(row_factory=class_row(Gap)) as cursor:
        return await (await cursor.execute(_GAPS, parameters)).fetchall()


_SESSIONS = """
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


async def sessions(
    conn: Connection, wanted: MessageFilter, limit: int, before: Place | None
) -> list[ListedSession]:
    """The caller's own sessions, the last active first, from that place on."""
    at, of, _ = before or (None, "", 0)
    async with conn.cursor(row_factory=class_row(ListedSession)) as cursor:
        found = await cursor.execute(
            _SESSIONS,
            {
                "sources": _listed(wanted.sources),
                "exclude_sources": _listed(wanted.exclude_sources),
                "since": wanted.since,
                "until": wanted.until,
                "limit": limit,
                "at": at,
                "of": of,
            },
        )
        return await found.fetchall()


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
    """How many sessions and messages the caller has."""
    row = await (await conn.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


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
    """By chunk: the session's number, and the message, of a long one only that chunk's text."""
    rows = await (await conn.execute(_TEXTS, {"ids": list(ids)})).fetchall()
    return {
        int(row[0]): (
            int(row[3]),
            Message(row[1], row[2], row[4], row[5], row[6], row[7], row[8], row[9], row[10]),
        )
        for row in rows
    }
