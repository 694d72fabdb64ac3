"""The ways a chunk can be found: one statement each, every filter inside it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import args_row, class_row
from psycopg.types.json import Jsonb

from mcp_memory.db.connection import Connection
from mcp_memory.recall.features import Evidence
from mcp_memory.recall.models import Hit, Passage, SearchFilter
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
    jsonb_populate_record(NULL::search_filter, %(search_filter)s),
    %(limit)s
)
"""


async def lexical(
    conn: Connection, lexemes: Sequence[str], search_filter: SearchFilter, limit: int
) -> list[Hit]:
    """Chunks that hold the query's words, the rarest words counting most.

    `lexical` is a BM25 score; `coverage` the share of the query's rarity that the chunk holds.
    """
    if not lexemes:
        return []
    async with conn.cursor(row_factory=class_row(_LexicalRow)) as cursor:
        rows = await (
            await cursor.execute(
                _LEXICAL, {"lexemes": list(lexemes), "limit": limit, **_parameters(search_filter)}
            )
        ).fetchall()
    return [Hit(row.chunk_id, {"lexical": row.score, "coverage": row.coverage}) for row in rows]


async def of_times(
    conn: Connection,
    marks: Sequence[str],
    lexemes: Sequence[str],
    search_filter: SearchFilter,
    limit: int,
) -> list[Hit]:
    """Chunks of the days and months that the marks name, those that hold its words first.

    `time` is 1 for the best of them.
    """
    hits = await lexical(conn, [*marks, *lexemes], search_filter, limit)
    best = max((hit.signals["lexical"] for hit in hits), default=0.0) or 1.0
    return [Hit(hit.chunk_id, {"time": hit.signals["lexical"] / best}) for hit in hits]


_SEMANTIC = """
SELECT chunk_id, similarity
FROM match_embedding(
    %(space_id)s,
    %(vector)s::vector,
    jsonb_populate_record(NULL::search_filter, %(search_filter)s),
    %(limit)s
)
"""


async def semantic(
    conn: Connection, query: QueryVector, search_filter: SearchFilter, limit: int
) -> list[Hit]:
    """Chunks nearest in meaning; `semantic` is the cosine."""
    if query.vector is None:
        return []
    parameters = {"space_id": query.space_id, "vector": query.vector, "limit": limit}
    found = await conn.execute(_SEMANTIC, parameters | _parameters(search_filter))
    rows = await found.fetchall()
    return [Hit(int(row[0]), {"semantic": float(row[1])}) for row in rows]


_PHRASE = """
SELECT chunk_id
FROM match_phrase(
    %(phrase)s,
    %(lexemes)s,
    jsonb_populate_record(NULL::search_filter, %(search_filter)s),
    %(limit)s
)
"""


async def phrase(
    conn: Connection, phrase: str, lexemes: Sequence[str], search_filter: SearchFilter, limit: int
) -> list[Hit]:
    """Chunks that hold the phrase itself, newest first; `exact` is 1."""
    parameters = {"phrase": phrase, "lexemes": list(lexemes) or None, "limit": limit}
    found = await conn.execute(_PHRASE, parameters | _parameters(search_filter))
    return [Hit(int(row[0]), {"exact": 1.0}) for row in await found.fetchall()]


_MENTIONING = """
SELECT c.id
FROM memory_mentions n
JOIN chunks c ON c.memory_id = n.memory_id AND c.memory_version = n.version
WHERE n.entity_id = ANY (%(entities)s)
  AND admits(c, jsonb_populate_record(NULL::search_filter, %(search_filter)s))
ORDER BY n.memory_id DESC, n.version DESC, c.position
LIMIT %(limit)s
"""


async def mentioning(
    conn: Connection, entities: Sequence[int], search_filter: SearchFilter, limit: int
) -> list[int]:
    """Chunks of memories that name one of these entities, the newest memories first."""
    parameters = {"entities": list(entities), "limit": limit} | _parameters(search_filter)
    found = await conn.execute(_MENTIONING, parameters)
    return [int(row[0]) for row in await found.fetchall()]


_ANCHORED = """
SELECT chunk_id, is_given
FROM match_anchors(
    %(text)s,
    %(given)s,
    jsonb_populate_record(NULL::search_filter, %(search_filter)s),
    %(limit)s
)
"""


async def anchored(
    conn: Connection, text: str, given: Mapping[str, str], search_filter: SearchFilter, limit: int
) -> list[Hit]:
    """Chunks about a pull request, file, branch, session or folder, newest first.

    `given` is 1 for what carries an anchor that was given, `named` for what carries one that the
    text names, which are looked for where the given ones are nowhere.
    """
    parameters = {"text": text, "given": Jsonb(dict(given)), "limit": limit}
    found = await conn.execute(_ANCHORED, parameters | _parameters(search_filter))
    rows = await found.fetchall()
    return [Hit(int(row[0]), {"given" if row[1] else "named": 1.0}) for row in rows]


_ANCHORS_IN = """
SELECT DISTINCT substr(mark, 2)
FROM (
    SELECT unnest(anchors_in(%(text)s)) AS mark
    UNION ALL
    SELECT anchor_mark(key, value) FROM jsonb_each_text(%(given)s)
) named
WHERE mark IS NOT NULL
ORDER BY 1
"""


async def anchors_in(conn: Connection, text: str, given: Mapping[str, str]) -> list[str]:
    """The anchors that are given or that the text names, such as `pr:42`."""
    found = await conn.execute(_ANCHORS_IN, {"text": text, "given": Jsonb(dict(given))})
    return [str(row[0]) for row in await found.fetchall()]


def _parameters(search_filter: SearchFilter) -> dict[str, object]:
    return {"search_filter": Jsonb(asdict(search_filter), dumps=_as_json)}


def _as_json(search_filter: object) -> str:
    return json.dumps(search_filter, default=_instant)


def _instant(value: datetime) -> str:
    return value.isoformat()


@dataclass(frozen=True, slots=True)
class Rarity:
    """How much a lexeme weighs: its inverse document frequency among what is visible.

    Nothing is counted to hold an `is_unknown` one; counts may lag behind.
    """

    weight: float
    is_unknown: bool


_RARITY = """
SELECT lexeme, weight, chunks = 0
FROM weigh_lexemes(%(lexemes)s)
"""


async def rarity(conn: Connection, lexemes: Sequence[str]) -> dict[str, Rarity]:
    """How rare each lexeme is."""
    found = await conn.execute(_RARITY, {"lexemes": list(lexemes)})
    return {str(row[0]): Rarity(float(row[1]), bool(row[2])) for row in await found.fetchall()}


async def corrected(conn: Connection, lexeme: str, near: Sequence[str]) -> str | None:
    """The most common of the near spellings, if nothing visible holds the lexeme itself."""
    found = await conn.execute(
        "SELECT fix_typo(%(word)s, %(near)s)", {"word": lexeme, "near": list(near)}
    )
    row = await found.fetchone()
    return None if row is None or row[0] is None else str(row[0])


_GATHER = """
SELECT chunk_id, candidate, coalesce(thread, 'c' || chunk_id) AS thread, place, role, speaker,
       tokens, message_tokens, asks, dated, occurred_at, importance, cosine, alone, hits
FROM gather_evidence(
    %(found)s,
    %(seeds)s,
    jsonb_populate_record(NULL::search_filter, %(search_filter)s),
    %(lexemes)s,
    %(space_id)s,
    %(vector)s::vector
)
"""


async def evidence(
    conn: Connection,
    found: Sequence[int],
    seeds: Sequence[int],
    *,
    search_filter: SearchFilter,
    lexemes: Sequence[str],
    query: QueryVector,
) -> list[Evidence]:
    """What the ranking needs of the found chunks, and of the messages around the seeds."""
    parameters = {
        "found": list(found),
        "seeds": list(seeds),
        "lexemes": list(lexemes),
        "space_id": query.space_id,
        "vector": query.vector,
    }
    # Hundreds of rows of numbers: read as they are, and by their places.
    async with conn.cursor(binary=True, row_factory=args_row(Evidence)) as cursor:
        rows = await cursor.execute(_GATHER, parameters | _parameters(search_filter))
        return await rows.fetchall()


_PASSAGES = """
SELECT id, agent_id, source, path, title, heading, start_line, end_line, content AS text, tokens,
       occurred_at, seq, memory_version, trust, told_by, ends_at
FROM passages_of(%(ids)s)
"""


async def passages(conn: Connection, ids: Sequence[int]) -> dict[int, Passage]:
    """The chunks of these ids that are visible, by id."""
    async with conn.cursor(row_factory=class_row(Passage)) as cursor:
        rows = await (await cursor.execute(_PASSAGES, {"ids": list(ids)})).fetchall()
    return {passage.id: passage for passage in rows}
