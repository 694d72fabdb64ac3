"""The SQL that finds what a new fact is similar to or contradicts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.graph.models import Relation
from mcp_memory.spaces.models import QueryVector


@dataclass(frozen=True, slots=True)
class NearFact:
    """A fact of the caller's; `cosine` when it was found by meaning."""

    memory_id: int
    content: str
    cosine: float | None


_NEAR = """
WITH wanted AS (
    SELECT jsonb_populate_record(NULL::search_filter, '{"sources": ["graph"]}') AS narrowed
), found AS (
    SELECT l.chunk_id, NULL::real AS similarity
    FROM wanted w
    CROSS JOIN LATERAL match_lexemes(%(lexemes)s, w.narrowed, 20) l
    UNION ALL
    SELECT s.chunk_id, s.similarity
    FROM wanted w
    CROSS JOIN LATERAL match_embedding(%(space_id)s::smallint, %(vector)s::vector, w.narrowed, 20) s
    WHERE %(vector)s::vector IS NOT NULL
)
SELECT c.memory_id, v.content, max(f.similarity)::double precision AS cosine
FROM found f
JOIN chunks c ON c.id = f.chunk_id
JOIN memory_versions v ON v.memory_id = c.memory_id AND v.version = c.memory_version
WHERE c.agent_id = current_agent()
GROUP BY c.memory_id, v.content
"""


async def query_near(
    conn: Connection, lexemes: Sequence[str], query: QueryVector
) -> list[NearFact]:
    """The caller's present facts nearest to a text, by words and by meaning."""
    if not lexemes and query.vector is None:
        return []
    parameters = {
        "lexemes": list(lexemes),
        "space_id": query.space_id,
        "vector": query.vector,
    }
    async with conn.cursor(row_factory=class_row(NearFact)) as cursor:
        return await (await cursor.execute(_NEAR, parameters)).fetchall()


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A fact that states another object of a relation that has only one at a time."""

    memory_id: int
    content: str
    relation: str


_OPPOSED = """
SELECT DISTINCT ON (r.memory_id) r.memory_id, v.content, r.relation
FROM memory_relations r
JOIN memory_versions v ON v.memory_id = r.memory_id AND v.version = r.version
WHERE r.agent_id = current_agent() AND r.memory_id <> %(memory_id)s
  AND r.subject_id = %(subject_id)s AND r.relation = %(relation)s
  AND r.object_id <> %(object_id)s
  AND r.truth && tstzrange(%(valid_from)s, %(valid_until)s)
  AND r.truth && tstzrange(%(own_from)s, %(own_until)s)
  AND (r.expires_at IS NULL OR r.expires_at > now())
ORDER BY r.memory_id
LIMIT 20
"""


async def query_contradictions(
    conn: Connection,
    memory: int,
    relation: Relation,
    valid_from: datetime | None,
    valid_until: datetime | None,
) -> list[Contradiction]:
    """The caller's other facts that contradict the relation while both are true."""
    parameters = {
        "memory_id": memory,
        "subject_id": relation.subject_id,
        "relation": relation.relation,
        "object_id": relation.object_id,
        "own_from": relation.valid_from,
        "own_until": relation.valid_until,
        "valid_from": valid_from,
        "valid_until": valid_until,
    }
    async with conn.cursor(row_factory=class_row(Contradiction)) as cursor:
        return await (await cursor.execute(_OPPOSED, parameters)).fetchall()
