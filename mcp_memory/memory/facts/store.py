"""The SQL of facts, their versions and their spans."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from mcp_memory.memory.facts import model
from mcp_memory.memory.facts.model import FactHead, NewFact, Span, VersionContent
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.findable import INDEXING, NewChunk

_ADD = """
INSERT INTO memories (agent_id, shared, fingerprint, supersedes, expires_at)
VALUES (current_agent(), %(shared)s, %(fingerprint)s, %(supersedes)s, %(expires_at)s)
ON CONFLICT (agent_id, fingerprint) WHERE forgotten_at IS NULL DO NOTHING
RETURNING id
"""


async def add_fact(
    conn: Connection, fact: NewFact, fingerprint: bytes, supersedes: int | None
) -> int | None:
    """The number of a new fact; None when exactly the same is there.

    Waits for whoever is storing the same at this moment.
    """
    parameters = {
        "shared": fact.shared,
        "fingerprint": fingerprint,
        "supersedes": supersedes,
        "expires_at": fact.expires_at,
    }
    row = await (await conn.execute(_ADD, parameters)).fetchone()
    return None if row is None else int(row[0])


_SAME = """
SELECT id
FROM memories
WHERE agent_id = current_agent() AND fingerprint = %(fingerprint)s AND forgotten_at IS NULL
  AND (expires_at IS NULL OR expires_at > now())
"""


async def find_repeat(conn: Connection, fingerprint: bytes) -> int | None:
    """The fact that says exactly this."""
    row = await (await conn.execute(_SAME, {"fingerprint": fingerprint})).fetchone()
    return None if row is None else int(row[0])


_LET_GO = """
UPDATE memories
SET fingerprint = NULL
WHERE agent_id = current_agent() AND fingerprint = %(fingerprint)s AND expires_at <= now()
"""


async def release_expired(conn: Connection, fingerprint: bytes) -> None:
    """What has expired is no repeat of what is stored again."""
    await conn.execute(_LET_GO, {"fingerprint": fingerprint})


_HEAD = """
SELECT id, agent_id, shared, version, supersedes, expires_at, forgotten_at
FROM memories
WHERE id = %(id)s
"""


async def get_head(conn: Connection, number: int) -> FactHead | None:
    """The fact, if it is visible, forgotten or not."""
    async with conn.cursor(row_factory=class_row(FactHead)) as cursor:
        return await (await cursor.execute(_HEAD, {"id": number})).fetchone()


_LOCKED = """
SELECT id, agent_id, shared, version, supersedes, expires_at, forgotten_at
FROM memories
WHERE id = ANY (%(ids)s) AND agent_id = current_agent()
ORDER BY id
FOR NO KEY UPDATE
"""


async def lock(conn: Connection, numbers: Sequence[int]) -> list[FactHead]:
    """The caller's own facts among these, each held until the transaction ends."""
    async with conn.cursor(row_factory=class_row(FactHead)) as cursor:
        return await (await cursor.execute(_LOCKED, {"ids": list(numbers)})).fetchall()


_HOLD_CHAINS = """
SELECT pg_advisory_xact_lock(hashtextextended('mcp_memory.supersedes/' || current_agent(), 0))
"""


async def lock_chains(conn: Connection) -> None:
    """Nobody else chains the caller's facts until the transaction ends."""
    await conn.execute(_HOLD_CHAINS)


_CHAIN = """
WITH RECURSIVE older (id, supersedes, step) AS (
    SELECT m.id, m.supersedes, 0
    FROM memories m
    WHERE m.id = %(id)s AND m.agent_id = current_agent()
    UNION ALL
    SELECT m.id, m.supersedes, o.step - 1
    FROM older o
    JOIN memories m ON m.id = o.supersedes
), newer (id, step) AS (
    SELECT o.id, 0
    FROM older o
    WHERE o.step = 0
    UNION ALL
    SELECT m.id, n.step + 1
    FROM newer n
    JOIN memories m ON m.supersedes = n.id
)
SELECT id
FROM (
    SELECT id, step FROM older WHERE step < 0
    UNION ALL
    SELECT id, step FROM newer
) chain
ORDER BY step
"""


async def get_chain(conn: Connection, number: int) -> list[int]:
    """What the fact supersedes, itself, and what supersedes it: the oldest first."""
    return [int(row[0]) for row in await (await conn.execute(_CHAIN, {"id": number})).fetchall()]


_CONTENTS = """
SELECT v.memory_id, v.content
FROM memory_versions v
JOIN memories m ON m.id = v.memory_id AND m.version = v.version
WHERE v.memory_id = ANY (%(ids)s) AND visible(m.agent_id, m.shared) AND m.forgotten_at IS NULL
  AND (m.expires_at IS NULL OR m.expires_at > now())
"""


async def get_contents(conn: Connection, numbers: Sequence[int]) -> dict[int, str]:
    """What the visible ones among these facts say now."""
    rows = await (await conn.execute(_CONTENTS, {"ids": list(numbers)})).fetchall()
    return {int(row[0]): str(row[1]) for row in rows}


_ADD_VERSION = """
INSERT INTO memory_versions (memory_id, version, agent_id, shared, memory_type, content, tokens,
                             reasoning, importance, confidence, source, trust, session_id,
                             message_ids, tags, occurred_at, reason)
VALUES (%(memory_id)s, %(version)s, %(agent_id)s, %(shared)s, %(memory_type)s, %(content)s,
        %(tokens)s, %(reasoning)s, %(importance)s, %(confidence)s, %(source)s, %(trust)s,
        %(session_id)s, %(message_ids)s, %(tags)s, %(occurred_at)s, %(reason)s)
"""


async def add_version(conn: Connection, version: VersionContent) -> None:
    """Keep what the version says, for good."""
    await conn.execute(_ADD_VERSION, asdict(version))


_CONTENT: LiteralString = """
SELECT v.memory_id, v.version, v.agent_id, v.shared, v.memory_type, v.content, v.tokens,
       v.reasoning, v.importance, v.confidence, v.source, v.trust, v.session_id, v.message_ids,
       v.tags, v.occurred_at, v.reason
FROM memory_versions v
"""
_NEWEST: LiteralString = """
JOIN memories m ON m.id = v.memory_id AND m.version = v.version
WHERE v.memory_id = %(id)s
"""
_NEWEST_CONTENT: LiteralString = _CONTENT + _NEWEST


async def get_newest(conn: Connection, number: int) -> VersionContent:
    """The version of a visible fact that was told last."""
    async with conn.cursor(row_factory=class_row(VersionContent)) as cursor:
        row = await (await cursor.execute(_NEWEST_CONTENT, {"id": number})).fetchone()
    assert row is not None
    return row


_TRUE_AT: LiteralString = """
JOIN memory_spans s ON s.memory_id = v.memory_id AND s.version = v.version
WHERE s.memory_id = %(id)s AND s.retired_at IS NULL
  AND tstzrange(s.valid_from, s.valid_until) @> coalesce(%(instant)s::timestamptz, now())
"""
_CONTENT_TRUE_AT: LiteralString = _CONTENT + _TRUE_AT


async def get_true_at(
    conn: Connection, number: int, instant: datetime | None
) -> VersionContent | None:
    """The version of a visible fact that is true then, as far as is known; None is now."""
    async with conn.cursor(row_factory=class_row(VersionContent)) as cursor:
        result = await cursor.execute(_CONTENT_TRUE_AT, {"id": number, "instant": instant})
        return await result.fetchone()


_IN_ORDER: LiteralString = """
WHERE v.memory_id = %(id)s AND v.agent_id = current_agent()
ORDER BY v.version
"""
_CONTENTS_IN_ORDER: LiteralString = _CONTENT + _IN_ORDER


async def get_versions(conn: Connection, number: int) -> list[VersionContent]:
    """Every version of one's own fact, oldest first."""
    async with conn.cursor(row_factory=class_row(VersionContent)) as cursor:
        return await (await cursor.execute(_CONTENTS_IN_ORDER, {"id": number})).fetchall()


_CHANGE = """
UPDATE memories
SET version = %(version)s, shared = %(shared)s, supersedes = %(supersedes)s,
    expires_at = %(expires_at)s
WHERE id = %(id)s
"""


async def change_head(conn: Connection, changed: FactHead) -> None:
    """Put on the fact what is the same for all its versions."""
    await conn.execute(_CHANGE, asdict(changed))


_SAY_DIFFERENTLY = """
UPDATE memories m
SET fingerprint = %(fingerprint)s
WHERE m.id = ANY (%(ids)s)
  AND (%(fingerprint)s::bytea IS NULL OR NOT EXISTS (
      SELECT
      FROM memories o
      WHERE o.agent_id = m.agent_id AND o.fingerprint = %(fingerprint)s AND o.forgotten_at IS NULL
  ))
"""


async def set_fingerprint(
    conn: Connection, numbers: Sequence[int], fingerprint: bytes | None
) -> None:
    """What says the same from now on; None when it is no longer what is so."""
    await conn.execute(_SAY_DIFFERENTLY, {"ids": list(numbers), "fingerprint": fingerprint})


_INSTANT = """
SELECT greatest(clock_timestamp(), max(s.recorded_at) + interval '1 microsecond')
FROM memory_spans s
WHERE s.memory_id = ANY (%(ids)s)
"""


async def next_instant(conn: Connection, numbers: Sequence[int]) -> datetime:
    """Now, and later than all that was recorded of these facts, which the caller holds."""
    row = await (await conn.execute(_INSTANT, {"ids": list(numbers)})).fetchone()
    assert row is not None
    return row[0]


_SPANS = """
SELECT memory_id, version, valid_from, valid_until
FROM memory_spans
WHERE memory_id = ANY (%(ids)s) AND retired_at IS NULL
ORDER BY memory_id, version
"""


async def get_spans(conn: Connection, numbers: Sequence[int]) -> list[Span]:
    """When each version of these facts is true, as far as we know now."""
    async with conn.cursor(row_factory=class_row(Span)) as cursor:
        return await (await cursor.execute(_SPANS, {"ids": list(numbers)})).fetchall()


_RETIRE = """
UPDATE memory_spans
SET retired_at = %(at)s
WHERE memory_id = %(memory_id)s AND version = %(version)s AND retired_at IS NULL
"""


async def retire(conn: Connection, span: Span, at: datetime) -> None:
    """From this instant on we know better; the span stays to tell what was known before."""
    await conn.execute(_RETIRE, {"memory_id": span.memory_id, "version": span.version, "at": at})


_ADD_SPAN = """
INSERT INTO memory_spans (memory_id, version, agent_id, shared, valid_from, valid_until,
                          recorded_at)
SELECT v.memory_id, v.version, v.agent_id, v.shared, %(valid_from)s, %(valid_until)s, %(at)s
FROM memory_versions v
WHERE v.memory_id = %(memory_id)s AND v.version = %(version)s
"""


async def add_span(conn: Connection, span: Span, at: datetime) -> None:
    """From this instant on the version is known to be true for so long."""
    await conn.execute(_ADD_SPAN, asdict(span) | {"at": at})


async def settle(conn: Connection, numbers: Sequence[int]) -> None:
    """Bring what is derived of the spans of these facts in line with them."""
    await conn.execute("SELECT settle(%(ids)s)", {"ids": sorted(numbers)})


_TIMES = """
SELECT t.told_at, coalesce(%(occurred_at)s, lower(v.truth), t.told_at)
FROM (SELECT told_at(%(memory_id)s, %(version)s)) t (told_at)
JOIN truths_of(ARRAY[%(memory_id)s::bigint]) v ON v.version = %(version)s
"""


async def get_times(conn: Connection, version: VersionContent) -> tuple[datetime, datetime]:
    """When the version was told, and when what it says occurred or became so."""
    parameters = {
        "memory_id": version.memory_id,
        "version": version.version,
        "occurred_at": version.occurred_at,
    }
    row = await (await conn.execute(_TIMES, parameters)).fetchone()
    assert row is not None
    return row[0], row[1]


_ADD_CHUNK = """
INSERT INTO chunks (agent_id, shared, source, memory_id, memory_version, memory_type, importance,
                    confidence, origin, truth, expires_at, position, path, title, heading, tags,
                    start_line, end_line, text, text_hash, tokens, lexemes, occurred_at,
                    indexed_by)
SELECT %(agent)s, t.shared, 'graph', %(memory_id)s, %(version)s, %(memory_type)s, %(importance)s,
       %(confidence)s, %(origin)s, t.truth, t.expires_at, %(position)s, %(path)s, %(title)s,
       %(heading)s, %(tags)s, %(start_line)s, %(end_line)s, %(text)s, %(text_hash)s, %(tokens)s,
       %(lexemes)s::tsvector, %(occurred_at)s, %(indexing)s
FROM truths_of(ARRAY[%(memory_id)s::bigint]) t
WHERE t.version = %(version)s
"""


async def add_chunks(
    conn: Connection, version: VersionContent, chunks: Sequence[NewChunk], occurred_at: datetime
) -> None:
    """Let the version be found by these pieces of it."""
    shared_by_all = {
        "agent": version.agent_id,
        "memory_id": version.memory_id,
        "version": version.version,
        "memory_type": version.memory_type,
        "importance": version.importance,
        "confidence": version.confidence,
        "origin": version.source,
        "path": f"graph/{model.fact_id(version.memory_id)}",
        "title": version.memory_type,
        "tags": version.tags,
        "occurred_at": occurred_at,
        "indexing": INDEXING,
    }
    async with conn.cursor() as cursor:
        await cursor.executemany(_ADD_CHUNK, [shared_by_all | asdict(chunk) for chunk in chunks])


_SPOKEN = """
SELECT s.session_id, array_agg(DISTINCT m.role)
FROM session_messages m
JOIN sessions s ON s.id = m.session
WHERE m.agent_id = current_agent() AND m.external_id = ANY (%(ids)s)
GROUP BY s.session_id
ORDER BY count(*) DESC, s.session_id
"""


async def get_speakers(conn: Connection, message_ids: Sequence[str]) -> tuple[str, list[str]]:
    """The session that most of the caller's messages of these ids are of, and all their roles."""
    if not message_ids:
        return "", []
    rows = await (await conn.execute(_SPOKEN, {"ids": list(message_ids)})).fetchall()
    return str(rows[0][0]) if rows else "", sorted({role for row in rows for role in row[1]})


_COUNT = """
SELECT (SELECT count(*)
        FROM memories m
        WHERE visible(m.agent_id, m.shared) AND m.forgotten_at IS NULL
          AND (m.expires_at IS NULL OR m.expires_at > now())),
       (SELECT count(*) FROM entities e WHERE e.agent_id = current_agent() AND EXISTS (
           SELECT FROM memory_mentions n WHERE n.entity_id = e.id AND NOT isempty(n.truth)))
"""


async def count_facts(conn: Connection) -> tuple[int, int]:
    """How many facts the caller can see, and how many entities are named in his own."""
    row = await (await conn.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
