"""The ways a chunk can be found: one statement each, every filter inside it."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from mcp_memory.db.cancellation import Connection
from mcp_memory.recall.models import Hit, Narrowing, Passage
from mcp_memory.spaces.service import QueryVector


@dataclass(frozen=True, slots=True)
class _LexicalRow:
    chunk_id: int
    score: float
    coverage: float


_LEXICAL = """
SELECT chunk_id, score, coverage
FROM match_lexemes(
    %(lexemes)s,
    ROW(%(sources)s::text[], %(path_prefix)s::text, %(tags)s::text[], %(since)s::timestamptz,
        %(until)s::timestamptz)::narrowing,
    %(limit)s
)
"""


async def lexical(
    conn: Connection, lexemes: Sequence[str], narrowing: Narrowing, limit: int
) -> list[Hit]:
    """Chunks that hold the query's words, the rarest words counting most.

    `lexical` is a BM25 score; `coverage` the share of the query's rarity that the chunk holds.
    """
    if not lexemes:
        return []
    async with conn.cursor(row_factory=class_row(_LexicalRow)) as cursor:
        rows = await (
            await cursor.execute(
                _LEXICAL, {"lexemes": list(lexemes), "limit": limit, **_parameters(narrowing)}
            )
        ).fetchall()
    return [Hit(row.chunk_id, {"lexical": row.score, "coverage": row.coverage}) for row in rows]


_SEMANTIC = """
SELECT chunk_id, similarity
FROM match_embedding(
    %(space_id)s,
    %(vector)s::vector,
    ROW(%(sources)s::text[], %(path_prefix)s::text, %(tags)s::text[], %(since)s::timestamptz,
        %(until)s::timestamptz)::narrowing,
    %(limit)s
)
"""


async def semantic(
    conn: Connection, query: QueryVector, narrowing: Narrowing, limit: int
) -> list[Hit]:
    """Chunks nearest in meaning; `semantic` is the cosine."""
    if query.vector is None:
        return []
    parameters = {"space_id": query.space_id, "vector": query.vector, "limit": limit}
    found = await conn.execute(_SEMANTIC, parameters | _parameters(narrowing))
    rows = await found.fetchall()
    return [Hit(int(row[0]), {"semantic": float(row[1])}) for row in rows]


def _parameters(narrowing: Narrowing) -> dict[str, object]:
    return {
        "sources": narrowing.sources,
        "path_prefix": narrowing.path_prefix,
        "tags": narrowing.tags,
        "since": narrowing.since,
        "until": narrowing.until,
    }


_PASSAGES = """
SELECT id, agent_id, source, path, title, heading, start_line, end_line, text, tokens, occurred_at
FROM chunks
WHERE id = ANY (%(ids)s) AND visible(agent_id, shared)
"""


async def passages(conn: Connection, ids: Sequence[int]) -> dict[int, Passage]:
    """The chunks of these ids that are visible, by id."""
    async with conn.cursor(row_factory=class_row(Passage)) as cursor:
        rows = await (await cursor.execute(_PASSAGES, {"ids": list(ids)})).fetchall()
    return {passage.id: passage for passage in rows}
