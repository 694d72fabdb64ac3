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
    listed = (
        typed["entities"]
        if not typed["repeated"]
        else await _mention_entities(conn, typed["number"])
    )
    proposed = [entity_number(each) or 0 for _, _, found in listed for each, _ in found]
    names = await entities.get_entities(conn, [*(number for number, _, _ in listed), *proposed])
    return [
        EntityResolution(
            entity_id(number),
            names[number].name,
            is_new,
            [
                EntityCandidate(each, names[other].name, score)
                for each, score in found
                if (other := entity_number(each) or 0) in names
            ],
        )
        for number, is_new, found in listed
        if number in names
    ]


async def _mention_entities(
    conn: Connection, number: int
) -> list[tuple[int, bool, list[tuple[str, float]]]]:
    """The entities of a memory that is there already."""
    statements = await statements_store.get_statements(conn, await store.get_newest(conn, number))
    return [
        (number, False, [])
        for number in dict.fromkeys(each.entity_id for each in statements.mentions)
    ]


async def _to_similar(conn: Connection, typed: _Response) -> list[SimilarFact]:
    numbers = {each: fact_number(each) or 0 for each, _, _ in typed["similar"]}
    contents = await store.get_contents(conn, list(numbers.values()))
    return [
        SimilarFact(each, contents[numbers[each]][:_SHOWN_CHARS], score, contradicts)
        for each, score, contradicts in typed["similar"]
        if numbers[each] in contents
    ]
