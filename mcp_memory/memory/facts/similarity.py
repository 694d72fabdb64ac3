"""Whether two texts may say the same: numbers and negation never agree by being near; pure."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.memory.facts.model import Relation, SimilarFact, Span, fact_id
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.terms import query_lexemes
from mcp_memory.vectors.spaces import QueryVector

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_COUNTING = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(re.split(" ", _COUNTING))}
_WORD = re.compile(r"[^\W\d_]+")
_DENIES = re.compile(
    r"""
    \b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot)\b
  | \b\w+n['\u2019]t\b
  | \b(?:dislike|hate|avoid|refuse)[sd]?\b | \bstopped\b | \bquit\b
  | \b(?:не|нет|никогда|без)\b | \b(?:nicht|keine?[nmrs]?|nie)\b | \b(?:ne|pas|jamais|sans)\b
  | \b(?:nunca|sin|senza)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def may_mean_the_same(one: str, other: str) -> bool:
    """False where the numbers differ ("5 mg", "50 mg") or only one of the texts denies."""
    numbers, others = _numbers(one), _numbers(other)
    if numbers and others and numbers != others:
        return False
    return _denies(one) == _denies(other)


def overlap(one: str, other: str) -> float:
    """The share of all their words that both texts have, 0 to 1 (Jaccard)."""
    words, others = set(query_lexemes(one)), set(query_lexemes(other))
    return len(words & others) / len(words | others) if words or others else 0.0


def _numbers(text: str) -> set[str]:
    words = (word.lower() for word in _WORD.findall(text))
    digits = {number.rstrip(".,").replace(",", "") for number in _NUMBER.findall(text)}
    return digits | {_NUMBER_WORDS[word] for word in words if word in _NUMBER_WORDS}


def _denies(text: str) -> bool:
    return _DENIES.search(text) is not None


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


_LIKE = 0.6
_MAX_SIMILAR = 5
_SHOWN_CHARS = 500
# Of a long text the beginning tells what it is about.
_COMPARED_CHARS = 2000


async def find_similar(
    conn: Connection, number: int, content: str, query: QueryVector
) -> list[SimilarFact]:
    """The caller's older facts that may say the same, the most alike first."""
    compared = content[:_COMPARED_CHARS]
    scored = [
        SimilarFact(fact_id(other.memory_id), other.content[:_SHOWN_CHARS], round(score, 2))
        for other in await query_near(conn, query_lexemes(compared)[:64], query)
        if other.memory_id != number
        and (score := max(other.cosine or 0.0, overlap(compared, other.content))) >= _LIKE
        and may_mean_the_same(compared, other.content[:_COMPARED_CHARS])
    ]
    return sorted(scored, key=lambda other: (-other.score, other.id))[:_MAX_SIMILAR]


async def find_contradictions(
    conn: Connection,
    content: str,
    span: Span,
    relations: Sequence[Relation],
    functional: Collection[str],
) -> list[SimilarFact]:
    """The older facts that one of these relations contradicts, if it has one object at a time."""
    contradictions: dict[int, SimilarFact] = {}
    for relation in relations:
        if relation.relation in functional:
            for other in await query_contradictions(
                conn, span.memory_id, relation, span.valid_from, span.valid_until
            ):
                score = round(overlap(content, other.content), 2)
                text = other.content[:_SHOWN_CHARS]
                contradictions[other.memory_id] = SimilarFact(
                    fact_id(other.memory_id), text, score, contradicts=other.relation
                )
    return list(contradictions.values())[:_MAX_SIMILAR]
