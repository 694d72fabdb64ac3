"""The response to a write, filled in: its ids become what they stand for now."""

from typing import TypedDict, cast

from mcp_memory.db.connection import Connection
from mcp_memory.graph import store
from mcp_memory.graph.entities import store as entities
from mcp_memory.graph.models import (
    EntityCandidate,
    EntityResolution,
    FactType,
    SimilarFact,
    StoreResult,
)
from mcp_memory.graph.names import entity_id, entity_number, fact_id, fact_number
from mcp_memory.graph.statements import store as statements_store

_SHOWN_CHARS = 500


class _Response(TypedDict):
    number: int
    version: int
    memory_type: FactType
    repeated: bool
    entities: list[tuple[int, bool, list[tuple[str, float]]]]
    similar: list[tuple[str, float, str]]


async def to_result(conn: Connection, response: dict[str, object]) -> StoreResult:
    """The answer to a store. What has been forgotten since is not shown any more."""
    typed = cast("_Response", cast("object", response))
    return StoreResult(
        id=fact_id(typed["number"]),
        memory_type=typed["memory_type"],
        version=typed["version"],
        entities=await _to_resolutions(conn, typed),
        similar=await _to_similar(conn, typed),
        repeated=typed["repeated"],
    )


async def _to_resolutions(conn: Connection, typed: _Response) -> list[EntityResolution]:
    rows = (
        typed["entities"]
        if not typed["repeated"]
        else await _mention_entities(conn, typed["number"])
    )
    others = [entity_number(id) or 0 for _, _, candidates in rows for id, _ in candidates]
    names = await entities.get_entities(conn, [*(number for number, _, _ in rows), *others])
    return [
        EntityResolution(
            entity_id(number),
            names[number].name,
            is_new,
            [
                EntityCandidate(id, names[other].name, score)
                for id, score in candidates
                if (other := entity_number(id) or 0) in names
            ],
        )
        for number, is_new, candidates in rows
        if number in names
    ]


async def _mention_entities(
    conn: Connection, number: int
) -> list[tuple[int, bool, list[tuple[str, float]]]]:
    """The entities of a fact that is there already."""
    statements = await statements_store.get_statements(conn, await store.get_newest(conn, number))
    return [
        (number, False, [])
        for number in dict.fromkeys(mention.entity_id for mention in statements.mentions)
    ]


async def _to_similar(conn: Connection, typed: _Response) -> list[SimilarFact]:
    numbers = {id: fact_number(id) or 0 for id, _, _ in typed["similar"]}
    contents = await store.get_contents(conn, list(numbers.values()))
    return [
        SimilarFact(id, contents[numbers[id]][:_SHOWN_CHARS], score, contradicts)
        for id, score, contradicts in typed["similar"]
        if numbers[id] in contents
    ]
