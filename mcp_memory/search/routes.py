"""The ways to a chunk: one statement each, every filter inside it, and what is read of chunks."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import NamedTuple

from psycopg.rows import args_row, class_row
from psycopg.types.json import Jsonb

from mcp_memory.memory.facts.model import Trust
from mcp_memory.memory.facts.provenance import caution
from mcp_memory.postgres.connection import Connection
from mcp_memory.search.kinds import Filter, Hit, SearchResult, Source
from mcp_memory.vectors.spaces import QueryVector


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
    conn: Connection, lexemes: Sequence[str], filter: Filter, limit: int
) -> list[Hit]:
    """Chunks that hold the query's words, the rarest words counting most.

    `lexical` is a BM25 score; `coverage` the share of the query's rarity that the chunk holds.
    """
    if not lexemes:
        return []
    async with conn.cursor(row_factory=class_row(_LexicalRow)) as cursor:
        rows = await (
            await cursor.execute(
                _LEXICAL, {"lexemes": list(lexemes), "limit": limit, **_parameters(filter)}
            )
        ).fetchall()
    return [Hit(row.chunk_id, {"lexical": row.score, "coverage": row.coverage}) for row in rows]


async def of_times(
    conn: Connection,
    marks: Sequence[str],
    lexemes: Sequence[str],
    filter: Filter,
    limit: int,
) -> list[Hit]:
    """Chunks of the days and months that the marks name, those that hold its words first.

    `time` is 1 for the best of them.
    """
    hits = await lexical(conn, [*marks, *lexemes], filter, limit)
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


async def semantic(conn: Connection, query: QueryVector, filter: Filter, limit: int) -> list[Hit]:
    """Chunks nearest in meaning; `semantic` is the cosine."""
    if query.vector is None:
        return []
    parameters = {"space_id": query.space_id, "vector": query.vector, "limit": limit}
    cursor = await conn.execute(_SEMANTIC, parameters | _parameters(filter))
    rows = await cursor.fetchall()
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
    conn: Connection, phrase: str, lexemes: Sequence[str], filter: Filter, limit: int
) -> list[Hit]:
    """Chunks that hold the phrase itself, newest first; `exact` is 1."""
    parameters = {"phrase": phrase, "lexemes": list(lexemes) or None, "limit": limit}
    cursor = await conn.execute(_PHRASE, parameters | _parameters(filter))
    return [Hit(int(row[0]), {"exact": 1.0}) for row in await cursor.fetchall()]


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
    conn: Connection, entities: Sequence[int], filter: Filter, limit: int
) -> list[int]:
    """Chunks of memories that name one of these entities, the newest memories first."""
    parameters = {"entities": list(entities), "limit": limit} | _parameters(filter)
    cursor = await conn.execute(_MENTIONING, parameters)
    return [int(row[0]) for row in await cursor.fetchall()]


@dataclass(frozen=True, slots=True)
class AnchorHits:
    """Chunks about an anchor, and the anchors that were looked for, such as `pr:42`."""

    hits: list[Hit]
    anchors: list[str]

    @property
    def are_given(self) -> bool:
        """Whether these carry an anchor that the caller gave, and not just one the query names."""
        return any("given" in hit.signals for hit in self.hits)


_ANCHORED = """
SELECT n.anchors, m.chunk_id, m.is_given
FROM (
    SELECT ARRAY(
        SELECT DISTINCT substr(mark, 2)
        FROM (
            SELECT unnest(anchors_in(%(text)s)) AS mark
            UNION ALL
            SELECT anchor_mark(key, value) FROM jsonb_each_text(%(given)s)
        ) named
        WHERE mark IS NOT NULL
        ORDER BY 1
    ) AS anchors
) n
LEFT JOIN match_anchors(
    %(text)s,
    %(given)s,
    jsonb_populate_record(NULL::search_filter, %(search_filter)s),
    %(limit)s
) m ON true
"""


async def by_anchors(
    conn: Connection, text: str, given: Mapping[str, str], filter: Filter, limit: int
) -> AnchorHits:
    """Chunks about a pull request, file, branch, session or folder, newest first.

    `given` is 1 for what carries an anchor that was given, `named` for what carries one that the
    text names, which are looked for where the given ones are nowhere.
    """
    parameters = {"text": text, "given": Jsonb(dict(given)), "limit": limit}
    cursor = await conn.execute(_ANCHORED, parameters | _parameters(filter))
    rows = await cursor.fetchall()
    hits = [
        Hit(int(chunk_id), {"given" if is_given else "named": 1.0})
        for _, chunk_id, is_given in rows
        if chunk_id is not None
    ]
    return AnchorHits(hits, [str(anchor) for anchor in rows[0][0]])


def _parameters(filter: Filter) -> dict[str, object]:
    return {"search_filter": Jsonb(asdict(filter), dumps=_as_json)}


def _as_json(filter: object) -> str:
    return json.dumps(filter, default=_instant)


def _instant(value: datetime) -> str:
    return value.isoformat()


MessageKey = tuple[str, int]


class Evidence(NamedTuple):
    """A chunk as `gather_evidence` gives it; `hits` follows the order of the query's lexemes.

    `cosine` is that of what the chunk is found by, for a short message the window around it;
    `alone` that of its own text.
    """

    chunk_id: int
    candidate: bool
    thread: str
    place: int
    role: str | None
    speaker: str | None
    tokens: int
    message_tokens: int
    asks: bool
    dated: bool
    occurred_at: datetime
    importance: float | None
    cosine: float | None
    alone: float | None
    hits: list[float]

    @property
    def message(self) -> MessageKey:
        """Which message of which thread the chunk belongs to."""
        return self.thread, self.place


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
    chunk_ids: Sequence[int],
    seeds: Sequence[int],
    *,
    filter: Filter,
    lexemes: Sequence[str],
    query: QueryVector,
) -> list[Evidence]:
    """What the ranking needs of these chunks, and of the messages around the seeds."""
    parameters = {
        "found": list(chunk_ids),
        "seeds": list(seeds),
        "lexemes": list(lexemes),
        "space_id": query.space_id,
        "vector": query.vector,
    }
    # Hundreds of rows of numbers: read as they are, and by their places.
    async with conn.cursor(binary=True, row_factory=args_row(Evidence)) as cursor:
        rows = await cursor.execute(_GATHER, parameters | _parameters(filter))
        return await rows.fetchall()


@dataclass(frozen=True, slots=True)
class _PassageRow:
    """A chunk's text and position, as it is stored; what a fact is, only for one."""

    id: int
    agent_id: str
    source: Source
    path: str
    title: str
    start_line: int
    end_line: int
    text: str
    occurred_at: datetime
    seq: int | None
    memory_version: int | None
    trust: Trust | None
    told_by: str
    ends_at: datetime | None

    @property
    def citation(self) -> str:
        """Where exactly the passage stands: lines, a message, or a version of a fact."""
        if self.memory_version is not None:
            return f"{self.path}@{self.memory_version}"
        if self.seq is not None:
            return f"{self.path}#{self.seq}"
        return line_citation(self.path, self.start_line, self.end_line)

    def result(self) -> SearchResult:
        """The passage as an answer shows it, of no score yet."""
        return SearchResult(
            id=str(self.id),
            source=self.source,
            path=self.path,
            start_line=self.start_line,
            end_line=self.end_line,
            title=self.title,
            text=self.text,
            score=0.0,
            occurred_at=self.occurred_at,
            owner=self.agent_id,
            routes=[],
            scores={},
            shares={},
            used={},
            citation=self.citation,
            trust=self.trust,
            caution=caution(self.trust, self.told_by, self.text) if self.trust else "",
            ends_at=self.ends_at,
        )


_PASSAGES = """
SELECT id, agent_id, source, path, coalesce(nullif(heading, ''), title) AS title, start_line,
       end_line, content AS text, occurred_at, seq, memory_version, trust,
       coalesce(told_by, '') AS told_by, ends_at
FROM passages_of(%(ids)s)
"""


async def passages(conn: Connection, ids: Sequence[int]) -> dict[int, SearchResult]:
    """The chunks of these ids that are visible, by id."""
    async with conn.cursor(row_factory=class_row(_PassageRow)) as cursor:
        rows = await (await cursor.execute(_PASSAGES, {"ids": list(ids)})).fetchall()
    return {row.id: row.result() for row in rows}


def line_citation(path: str, start_line: int, end_line: int) -> str:
    """Lines of a document, as an answer cites them."""
    return f"{path}#L{start_line}-L{end_line}"
