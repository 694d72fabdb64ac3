"""The SQL of summaries: each statement above the function that runs it."""

from collections.abc import Sequence
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.memory.conversations.models import Conversation, Part, Span, Summary, SummaryText
from mcp_memory.postgres.connection import Connection

_BY_IDS = """
SELECT u.id, u.session, s.session_id, u.parent, u.depth, u.seq_from, u.seq_to, u.summary, u.tokens,
       u.stale
FROM summaries u
JOIN sessions s ON s.id = u.session
WHERE u.agent_id = current_agent() AND u.id = ANY (%(ids)s)
ORDER BY u.session, u.seq_from
"""


async def by_ids(conn: Connection, ids: Sequence[int]) -> list[Summary]:
    """The caller's own summaries of these ids, in the order of what they cover."""
    async with conn.cursor(row_factory=class_row(Summary)) as cursor:
        return await (await cursor.execute(_BY_IDS, {"ids": list(ids)})).fetchall()


_OVERLAPPING = """
SELECT u.id, u.session, s.session_id, u.parent, u.depth, u.seq_from, u.seq_to, u.summary, u.tokens,
       u.stale
FROM summaries u
JOIN sessions s ON s.id = u.session
WHERE u.session = %(session)s AND u.depth = 1
  AND u.seq_from <= %(seq_to)s AND u.seq_to >= %(seq_from)s
ORDER BY u.seq_from
"""


async def overlaps(
    conn: Connection, conversation: Conversation, seq_from: int, seq_to: int
) -> list[Summary]:
    """The summaries of messages that cover some of this span."""
    parameters = {"session": conversation.id, "seq_from": seq_from, "seq_to": seq_to}
    async with conn.cursor(row_factory=class_row(Summary)) as cursor:
        return await (await cursor.execute(_OVERLAPPING, parameters)).fetchall()


_CHILDREN = """
SELECT array_agg(id ORDER BY seq_from)
FROM summaries
WHERE parent = %(id)s
"""


async def children(conn: Connection, summary_id: int) -> list[int]:
    """The summaries that this one covers directly, in order."""
    row = await (await conn.execute(_CHILDREN, {"id": summary_id})).fetchone()
    return [] if row is None or row[0] is None else list(row[0])


_MISSING = """
SELECT wanted.seq
FROM generate_series(%(seq_from)s::integer, %(seq_to)s::integer) wanted (seq)
WHERE NOT EXISTS (SELECT FROM session_messages m
                  WHERE m.session = %(session)s AND m.seq = wanted.seq)
ORDER BY 1
LIMIT 1
"""


async def first_missing(
    conn: Connection, conversation: Conversation, seq_from: int, seq_to: int
) -> int | None:
    """The first message of the span that is not there any more."""
    parameters = {"session": conversation.id, "seq_from": seq_from, "seq_to": seq_to}
    row = await (await conn.execute(_MISSING, parameters)).fetchone()
    return None if row is None else int(row[0])


_ADD_LEAF = """
INSERT INTO summaries (agent_id, session, depth, seq_from, seq_to, summary, tokens, lexemes,
                       after_at, last_at)
SELECT current_agent(), %(session)s, 1, %(seq_from)s, %(seq_to)s, %(summary)s, %(tokens)s,
       %(lexemes)s::tsvector,
       coalesce((SELECT max(b.created_at) FROM session_messages b
                 WHERE b.session = %(session)s AND b.seq < %(seq_from)s), '-infinity'),
       max(m.created_at)
FROM session_messages m
WHERE m.session = %(session)s AND m.seq BETWEEN %(seq_from)s AND %(seq_to)s
RETURNING id
"""


async def add_leaf(
    conn: Connection,
    conversation: Conversation,
    span: Span,
    summary: SummaryText,
) -> int:
    """Keep a summary of messages; its id."""
    added = await conn.execute(
        _ADD_LEAF,
        {
            "session": conversation.id,
            "seq_from": span.seq_from,
            "seq_to": span.seq_to,
            "summary": summary.text,
            "tokens": summary.tokens,
            "lexemes": summary.lexemes,
        },
    )
    row = await added.fetchone()
    assert row is not None
    return int(row[0])


_ADD_ABOVE = """
WITH added AS (
    INSERT INTO summaries (agent_id, session, depth, seq_from, seq_to, summary, tokens, lexemes,
                           after_at, last_at)
    SELECT current_agent(), %(session)s, max(c.depth) + 1, min(c.seq_from), max(c.seq_to),
           %(summary)s, %(tokens)s, %(lexemes)s::tsvector, min(c.after_at), max(c.last_at)
    FROM summaries c
    WHERE c.id = ANY (%(covered)s)
    RETURNING id, depth
), adopted AS (
    UPDATE summaries c
    SET parent = added.id
    FROM added
    WHERE c.id = ANY (%(covered)s)
)
SELECT id, depth
FROM added
"""


async def add_above(
    conn: Connection,
    conversation: int,
    covered: Sequence[int],
    summary: SummaryText,
) -> tuple[int, int]:
    """Keep a summary of summaries, which it covers from now on; its id and depth."""
    added = await conn.execute(
        _ADD_ABOVE,
        {
            "session": conversation,
            "covered": list(covered),
            "summary": summary.text,
            "tokens": summary.tokens,
            "lexemes": summary.lexemes,
        },
    )
    row = await added.fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


_RENEW = """
UPDATE summaries
SET summary = %(summary)s, tokens = %(tokens)s, lexemes = %(lexemes)s::tsvector, stale = false
WHERE id = %(id)s
"""


async def renew(conn: Connection, summary_id: int, summary: SummaryText) -> None:
    """Put another text in the place of a stale one."""
    parameters = {
        "id": summary_id,
        "summary": summary.text,
        "tokens": summary.tokens,
        "lexemes": summary.lexemes,
    }
    await conn.execute(_RENEW, parameters)


_MARK_STALE = """
UPDATE summaries
SET stale = true
WHERE session = %(session)s AND NOT stale
  AND EXISTS (SELECT FROM unnest(%(instants)s::timestamptz[]) late (at)
              WHERE late.at >= after_at AND late.at < last_at)
"""


async def mark_stale(
    conn: Connection, conversation: Conversation, instants: Sequence[datetime]
) -> None:
    """Mark each summary into whose span something of these instants belongs."""
    await conn.execute(_MARK_STALE, {"session": conversation.id, "instants": list(instants)})


_SEARCH = """
SELECT u.id, u.session, s.session_id, u.parent, u.depth, u.seq_from, u.seq_to, u.summary, u.tokens,
       u.stale
FROM summaries u
JOIN sessions s ON s.id = u.session
WHERE u.agent_id = current_agent()
  AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
  AND (%(lexemes)s::text[] IS NULL OR u.lexemes @@ as_query(%(lexemes)s))
ORDER BY CASE WHEN %(lexemes)s::text[] IS NULL THEN 0
              ELSE -ts_rank(u.lexemes, as_query(%(lexemes)s), 1) END,
         s.last_at DESC, s.id, u.seq_from, u.depth DESC
LIMIT %(limit)s OFFSET %(skip)s
"""


async def search(
    conn: Connection, session_id: str | None, lexemes: Sequence[str] | None, limit: int, skip: int
) -> list[Summary]:
    """The caller's own summaries: those that hold some of the lexemes, best first, else all."""
    async with conn.cursor(row_factory=class_row(Summary)) as cursor:
        rows = await cursor.execute(
            _SEARCH,
            {
                "session_id": session_id,
                "lexemes": None if lexemes is None else list(lexemes),
                "limit": limit,
                "skip": skip,
            },
        )
        return await rows.fetchall()


_BELOW = """
WITH RECURSIVE below AS (
    SELECT id, depth, seq_from, seq_to, summary, tokens, stale, 0 AS level
    FROM summaries
    WHERE id = %(id)s
    UNION ALL
    SELECT c.id, c.depth, c.seq_from, c.seq_to, c.summary, c.tokens, c.stale, b.level + 1
    FROM below b
    JOIN summaries c ON c.parent = b.id
    WHERE b.level < %(levels)s
)
SELECT 'summary' AS kind, seq_from, seq_to, summary AS text, tokens, '' AS role,
       id::text AS summary_id, depth, stale
FROM below
ORDER BY seq_from, level
"""


async def below(conn: Connection, summary_id: int, levels: int) -> list[Part]:
    """A summary and what it covers, so many levels down, each before what is below it."""
    async with conn.cursor(row_factory=class_row(Part)) as cursor:
        rows = await cursor.execute(_BELOW, {"id": summary_id, "levels": levels})
        return await rows.fetchall()


# What comes before each decides whether it is read: a conversation may hold more than memory does.
_MESSAGES = """
SELECT 'message' AS kind, m.seq AS seq_from, m.seq AS seq_to, m.content AS text, m.tokens, m.role
FROM (
    SELECT id, sum(tokens) OVER (ORDER BY seq) - tokens AS before
    FROM session_messages
    WHERE session = %(session)s AND seq BETWEEN %(seq_from)s AND %(seq_to)s
) reached
JOIN session_messages m ON m.id = reached.id
WHERE reached.before <= %(budget)s
ORDER BY m.seq
"""


async def messages(
    conn: Connection, conversation: int, seq_from: int, seq_to: int, budget: int
) -> list[Part]:
    """The messages of a span, in order, to the first that the budget of tokens has no room for."""
    parameters = {"session": conversation, "seq_from": seq_from, "seq_to": seq_to, "budget": budget}
    async with conn.cursor(row_factory=class_row(Part)) as cursor:
        return await (await cursor.execute(_MESSAGES, parameters)).fetchall()


_THREAD = """
SELECT last_seq, kind, seq_from, seq_to, body, tokens, role, summary_id, depth, stale
FROM session_thread(%(session_id)s, %(budget)s, %(large)s)
"""


async def thread(
    conn: Connection, session_id: str, budget: int
) -> tuple[int, list[Part], list[Part]] | None:
    """The conversation's last seq, the summaries that no other covers, oldest first, and the newest
    messages, newest first, about as many as the budget can hold."""
    parameters = {"session_id": session_id, "budget": budget, "large": budget // 10}
    rows = await (await conn.execute(_THREAD, parameters)).fetchall()
    if not rows:
        return None
    parts = [Part(*row[1:]) for row in rows if row[1] is not None]
    messages = [part for part in reversed(parts) if part.kind == "message"]
    return int(rows[0][0]), [part for part in parts if part.kind == "summary"], messages


_UNCOVERED_FROM = """
SELECT coalesce(max(seq_to), 0) + 1
FROM summaries
WHERE session = %(session)s
"""


async def first_uncovered(conn: Connection, conversation: Conversation) -> int:
    """The number after the last one that a summary covers."""
    row = await (await conn.execute(_UNCOVERED_FROM, {"session": conversation.id})).fetchone()
    assert row is not None
    return int(row[0])
