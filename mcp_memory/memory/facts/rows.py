"""The SQL that reads facts; row-level security decides which ones there are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from mcp_memory.memory.facts.model import UNDIRECTED, LinkType, entity_id
from mcp_memory.memory.facts.query import EntityName, FactFilter, FactVersion, Instants
from mcp_memory.postgres.connection import Connection

# What is held of the facts (their spans), with what each version says.
_HELD: LiteralString = """
FROM memory_spans s
JOIN memories m ON m.id = s.memory_id
JOIN memory_versions v
    ON v.memory_id = s.memory_id AND v.version = s.version AND v.agent_id = s.agent_id
"""
_ORDER_BEGINS: LiteralString = """
CROSS JOIN LATERAL (
    SELECT CASE %(sort)s::text
               WHEN 'importance' THEN v.importance
               WHEN 'confidence' THEN v.confidence
               WHEN 'recorded_at' THEN extract(epoch FROM s.recorded_at)::float8
               WHEN 'occurred_at' THEN
                   extract(epoch FROM coalesce(v.occurred_at, s.valid_from, s.recorded_at))::float8
               WHEN 'timeline' THEN
                   -extract(epoch FROM coalesce(v.occurred_at, s.valid_from, s.recorded_at))::float8
"""
_ORDER_ENDS: LiteralString = """
           END
) o (position)
"""
_ORDERED: LiteralString = _ORDER_BEGINS + _ORDER_ENDS
_ADMITTED: LiteralString = """
WHERE m.forgotten_at IS NULL
  AND (m.expires_at IS NULL OR m.expires_at > now())
  AND CASE WHEN %(known_at)s::timestamptz IS NULL THEN s.retired_at IS NULL
           ELSE tstzrange(s.recorded_at, s.retired_at) @> %(known_at)s::timestamptz END
  AND (%(always)s
       OR tstzrange(s.valid_from, s.valid_until) @> coalesce(%(as_of)s::timestamptz, now()))
  AND (%(memory_type)s::text IS NULL OR v.memory_type = %(memory_type)s)
  AND (%(min_importance)s::float8 IS NULL OR v.importance >= %(min_importance)s)
  AND (%(min_confidence)s::float8 IS NULL OR v.confidence >= %(min_confidence)s)
  AND (%(source)s::text IS NULL OR v.source = %(source)s)
  AND (%(tags)s::text[] IS NULL OR v.tags @> %(tags)s)
  AND (%(since)s::timestamptz IS NULL
       OR coalesce(v.occurred_at, s.valid_from, s.recorded_at) >= %(since)s)
  AND (%(until)s::timestamptz IS NULL
       OR coalesce(v.occurred_at, s.valid_from, s.recorded_at) < %(until)s)
  AND (%(happens_after)s::timestamptz IS NULL
       OR coalesce(v.occurred_at, s.valid_from) >= %(happens_after)s)
  AND (%(happens_before)s::timestamptz IS NULL
       OR coalesce(v.occurred_at, s.valid_from) < %(happens_before)s)
"""
_COLUMNS: LiteralString = """
SELECT s.memory_id, s.version, m.agent_id, s.shared AND m.shared AS shared, v.memory_type,
       v.content, v.tokens, v.reasoning, v.importance, v.confidence, v.source, v.trust,
       v.session_id, v.message_ids, v.tags, v.occurred_at, v.reason, s.valid_from, s.valid_until,
       s.recorded_at, o.position
"""
_PAGE: LiteralString = """
  AND (%(position)s::float8 IS NULL
       OR (o.position, s.memory_id, s.version) < (%(position)s, %(memory_id)s, %(version)s))
ORDER BY o.position DESC, s.memory_id DESC, s.version DESC
LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class PageRange:
    """How many rows of an order, after which position in it (of the row listed last)."""

    sort: str
    limit: int
    after: tuple[float, int, int] | None = None

    def parameters(self) -> dict[str, object]:
        """The values of a statement that ends in a page."""
        position, memory_id, version = self.after or (None, None, None)
        return {
            "sort": self.sort,
            "limit": self.limit,
            "position": position,
            "memory_id": memory_id,
            "version": version,
        }


_LISTED: LiteralString = _COLUMNS + _HELD + _ORDERED + _ADMITTED + _PAGE


async def list_facts(
    conn: Connection, filter: FactFilter, instants: Instants, page: PageRange
) -> list[FactVersion]:
    """A page of all facts that are as wanted."""
    return await _fetch(conn, _LISTED, asdict(filter) | asdict(instants) | page.parameters())


_BY_RANK: LiteralString = """
               ELSE matches.rank
"""
_AMONG: LiteralString = """
JOIN unnest(%(ids)s::bigint[], %(ranks)s::float8[]) matches (id, rank) ON matches.id = s.memory_id
"""
_ORDERED_AMONG: LiteralString = _ORDER_BEGINS + _BY_RANK + _ORDER_ENDS
_LISTED_AMONG: LiteralString = _COLUMNS + _HELD + _AMONG + _ORDERED_AMONG + _ADMITTED + _PAGE


async def list_among(
    conn: Connection,
    ranks: Mapping[int, float],
    filter: FactFilter,
    instants: Instants,
    page: PageRange,
) -> list[FactVersion]:
    """A page of those of these facts that are as wanted; the sort `rank` is by their ranks."""
    if not ranks:
        return []
    among: dict[str, object] = {"ids": list(ranks), "ranks": list(ranks.values())}
    parameters = asdict(filter) | asdict(instants) | page.parameters() | among
    return await _fetch(conn, _LISTED_AMONG, parameters)


async def _fetch(
    conn: Connection, statement: LiteralString, parameters: Mapping[str, object]
) -> list[FactVersion]:
    async with conn.cursor(row_factory=class_row(FactVersion)) as cursor:
        # Never prepared: its filters are known to the planner only when it is planned for them.
        return await (await cursor.execute(statement, _lists(parameters), prepare=False)).fetchall()


def _lists(parameters: Mapping[str, object]) -> dict[str, object]:
    """The parameters with tuples as lists: psycopg takes a tuple for a record."""
    return {
        name: [*value] if isinstance(value, tuple) else value for name, value in parameters.items()
    }


_TYPES: LiteralString = """
SELECT v.memory_type, count(*)
"""
_BY_COUNT: LiteralString = """
GROUP BY v.memory_type
ORDER BY count(*) DESC, v.memory_type
"""
_COUNTED: LiteralString = _TYPES + _HELD + _ADMITTED + _BY_COUNT


async def count_types(conn: Connection, filter: FactFilter, instants: Instants) -> dict[str, int]:
    """How many facts of each type are as wanted, the most first."""
    parameters = _lists(asdict(filter) | asdict(instants))
    rows = await (await conn.execute(_COUNTED, parameters, prepare=False)).fetchall()
    return {str(row[0]): int(row[1]) for row in rows}


# What superseded what, in both directions; and of each version the span that was recorded last.
_HISTORY: LiteralString = """
WITH RECURSIVE older (id) AS (
    SELECT m.id FROM memories m WHERE m.id = %(id)s
    UNION
    SELECT p.id FROM older o JOIN memories m ON m.id = o.id JOIN memories p ON p.id = m.supersedes
), newer (id) AS (
    SELECT m.id FROM memories m WHERE m.id = %(id)s
    UNION
    SELECT m.id FROM newer n JOIN memories m ON m.supersedes = n.id
), chain AS (
    SELECT id FROM older
    UNION
    SELECT id FROM newer
), spans AS (
    SELECT DISTINCT ON (s.memory_id, s.version) s.memory_id, s.version, s.agent_id, s.shared,
           s.valid_from, s.valid_until,
           CASE WHEN %(known_at)s::timestamptz IS NULL OR s.retired_at <= %(known_at)s
                THEN s.retired_at END AS retired_at,
           min(s.recorded_at) OVER (PARTITION BY s.memory_id, s.version) AS recorded_at
    FROM chain c
    JOIN memory_spans s ON s.memory_id = c.id
    WHERE %(known_at)s::timestamptz IS NULL OR s.recorded_at <= %(known_at)s
    ORDER BY s.memory_id, s.version, s.recorded_at DESC
)
SELECT s.memory_id, s.version, m.agent_id, s.shared AND m.shared AS shared, v.memory_type,
       v.content, v.tokens, v.reasoning, v.importance, v.confidence, v.source, v.trust,
       v.session_id, v.message_ids, v.tags, v.occurred_at, v.reason, s.valid_from, s.valid_until,
       s.recorded_at, o.position, s.retired_at
FROM spans s
JOIN memories m ON m.id = s.memory_id
JOIN memory_versions v
    ON v.memory_id = s.memory_id AND v.version = s.version AND v.agent_id = s.agent_id
CROSS JOIN LATERAL (SELECT extract(epoch FROM s.recorded_at)::float8) o (position)
WHERE m.forgotten_at IS NULL
  AND (m.expires_at IS NULL OR m.expires_at > now())
"""
_HISTORY_PAGE: LiteralString = _HISTORY + _PAGE


async def get_history(
    conn: Connection, number: int, known_at: datetime | None, page: PageRange
) -> list[FactVersion]:
    """The versions of a fact, of what it superseded and of what superseded it, newest first."""
    return await _fetch(
        conn, _HISTORY_PAGE, {"id": number, "known_at": known_at} | page.parameters()
    )


_OF_CHUNKS = """
SELECT id, memory_id
FROM chunks
WHERE id = ANY (%(ids)s) AND memory_id IS NOT NULL
"""


async def get_facts_of_chunks(conn: Connection, chunk_ids: Sequence[int]) -> dict[int, int]:
    """The facts of these chunks, by chunk."""
    rows = await (await conn.execute(_OF_CHUNKS, {"ids": [*chunk_ids]})).fetchall()
    return {int(row[0]): int(row[1]) for row in rows}


_IS_VISIBLE = """
SELECT count(*) > 0
FROM memories
WHERE id = %(id)s AND forgotten_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""


async def is_visible(conn: Connection, number: int) -> bool:
    """Whether the caller can see a fact of this number that is neither forgotten nor expired."""
    row = await (await conn.execute(_IS_VISIBLE, {"id": number})).fetchone()
    return row is not None and bool(row[0])


_MENTIONED = """
SELECT n.memory_id, n.version, n.entity_id, n.name, n.type
FROM unnest(%(ids)s::bigint[], %(versions)s::integer[]) given (memory_id, version)
JOIN memory_mentions n ON n.memory_id = given.memory_id AND n.version = given.version
ORDER BY n.memory_id, n.version, n.name, n.entity_id
"""


async def get_entity_names(
    conn: Connection, versions: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], list[EntityName]]:
    """The entities of each version, by fact and version."""
    names: dict[tuple[int, int], list[EntityName]] = defaultdict(list)
    parameters = {
        "ids": [version[0] for version in versions],
        "versions": [version[1] for version in versions],
    }
    rows = await (await conn.execute(_MENTIONED, parameters)).fetchall()
    for memory_id, version, entity, name, kind in rows:
        names[memory_id, version].append(EntityName(entity_id(int(entity)), str(name), str(kind)))
    return names


@dataclass(frozen=True, slots=True)
class FactLink:
    """That a fact is linked with another; forward when it says so itself."""

    memory_id: int
    other_id: int
    relation: LinkType
    forward: bool

    @property
    def is_directed(self) -> bool:
        """Whether it makes a difference which of the two says so."""
        return self.relation not in UNDIRECTED


_LINKED = """
SELECT l.memory_id, l.target_id AS other_id, l.relation_type AS relation, true AS forward
FROM unnest(%(ids)s::bigint[], %(versions)s::integer[]) given (memory_id, version)
JOIN memory_links l ON l.memory_id = given.memory_id AND l.version = given.version
UNION
SELECT l.target_id, l.memory_id, l.relation_type, false
FROM memory_links l
WHERE l.target_id = ANY (%(ids)s)
  AND CASE WHEN %(known_at)s::timestamptz IS NULL
           THEN l.truth @> coalesce(%(as_of)s::timestamptz, now())
           ELSE was_known(l.memory_id, l.version, coalesce(%(as_of)s::timestamptz, now()),
                          %(known_at)s) END
ORDER BY memory_id, forward DESC, other_id, relation
LIMIT 1000
"""


async def get_links(
    conn: Connection, versions: Sequence[FactVersion], instants: Instants
) -> list[FactLink]:
    """What these versions are linked with, whoever says so."""
    parameters = {
        "ids": [version.memory_id for version in versions],
        "versions": [version.version for version in versions],
        "as_of": instants.as_of,
        "known_at": instants.known_at,
    }
    async with conn.cursor(row_factory=class_row(FactLink)) as cursor:
        return await (await cursor.execute(_LINKED, parameters)).fetchall()


async def transaction_time(conn: Connection) -> datetime:
    """What `now` is to every statement of this transaction."""
    row = await (await conn.execute("SELECT now()")).fetchone()
    assert row is not None
    return row[0]
