"""What is proposed beside a new fact: near ones, and those it contradicts."""

from collections.abc import Collection, Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.graph.models import Relation, SimilarFact, Span
from mcp_memory.graph.names import fact_id
from mcp_memory.graph.similarity import store
from mcp_memory.graph.similarity.wording import may_mean_the_same, overlap
from mcp_memory.spaces.models import QueryVector
from mcp_memory.text.terms import query_lexemes

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
        for other in await store.query_near(conn, query_lexemes(compared)[:64], query)
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
            for other in await store.query_contradictions(
                conn, span.memory_id, relation, span.valid_from, span.valid_until
            ):
                score = round(overlap(content, other.content), 2)
                text = other.content[:_SHOWN_CHARS]
                contradictions[other.memory_id] = SimilarFact(
                    fact_id(other.memory_id), text, score, contradicts=other.relation
                )
    return list(contradictions.values())[:_MAX_SIMILAR]
