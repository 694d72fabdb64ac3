"""What is proposed beside a new memory: near ones, and those it contradicts."""

from collections.abc import Collection, Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.graph.models import Relation, Similar, Span
from mcp_memory.graph.names import memory_id
from mcp_memory.graph.similarity import store
from mcp_memory.graph.similarity.wording import may_mean_the_same, overlap
from mcp_memory.spaces.models import QueryVector
from mcp_memory.text.terms import query_lexemes

_LIKE = 0.6
_MAX_SIMILAR = 5
_SHOWN_CHARS = 500
# Of a long text the beginning tells what it is about.
_COMPARED_CHARS = 2000


async def similar(conn: Connection, memory: int, content: str, query: QueryVector) -> list[Similar]:
    """The caller's older memories that may say the same, the most alike first."""
    compared = content[:_COMPARED_CHARS]
    scored = [
        Similar(memory_id(each.memory_id), each.content[:_SHOWN_CHARS], round(score, 2))
        for each in await store.near(conn, query_lexemes(compared)[:64], query)
        if each.memory_id != memory
        and (score := max(each.cosine or 0.0, overlap(compared, each.content))) >= _LIKE
        and may_mean_the_same(compared, each.content[:_COMPARED_CHARS])
    ]
    return sorted(scored, key=lambda each: (-each.score, each.id))[:_MAX_SIMILAR]


async def contradicted(
    conn: Connection,
    content: str,
    span: Span,
    relations: Sequence[Relation],
    functional: Collection[str],
) -> list[Similar]:
    """The older facts that one of these relations contradicts, if it has one object at a time."""
    found: dict[int, Similar] = {}
    for relation in relations:
        if relation.relation in functional:
            for each in await store.opposed(
                conn, span.memory_id, relation, span.valid_from, span.valid_until
            ):
                score = round(overlap(content, each.content), 2)
                shown = each.content[:_SHOWN_CHARS]
                found[each.memory_id] = Similar(
                    memory_id(each.memory_id), shown, score, contradicts=each.relation
                )
    return list(found.values())[:_MAX_SIMILAR]
