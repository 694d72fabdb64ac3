"""The response to a write, filled in: its ids become what they stand for now."""

from typing import TypedDict, cast

from mcp_memory.db.connection import Connection
from mcp_memory.graph import store
from mcp_memory.graph.entities import store as entities
from mcp_memory.graph.models import Candidate, MemoryType, Similar, Stored, StoredEntity
from mcp_memory.graph.names import entity_id, entity_number, memory_id, memory_number
from mcp_memory.graph.statements import store as statements_store

_SHOWN_CHARS = 500


class _Response(TypedDict):
    number: int
    version: int
    memory_type: MemoryType
    repeated: bool
    entities: list[tuple[int, bool, list[tuple[str, float]]]]
    similar: list[tuple[str, float, str]]


async def stored(conn: Connection, response: dict[str, object]) -> Stored:
    """The answer to a store. What has been forgotten since is not shown any more."""
    typed = cast("_Response", cast("object", response))
    return Stored(
        id=memory_id(typed["number"]),
        memory_type=typed["memory_type"],
        version=typed["version"],
        entities=await _entities(conn, typed),
        similar=await _similar(conn, typed),
        repeated=typed["repeated"],
    )


async def _entities(conn: Connection, typed: _Response) -> list[StoredEntity]:
    listed = typed["entities"] if not typed["repeated"] else await _mentioned(conn, typed["number"])
    proposed = [entity_number(each) or 0 for _, _, found in listed for each, _ in found]
    names = await entities.by_id(conn, [*(number for number, _, _ in listed), *proposed])
    return [
        StoredEntity(
            entity_id(number),
            names[number].name,
            is_new,
            [
                Candidate(each, names[other].name, score)
                for each, score in found
                if (other := entity_number(each) or 0) in names
            ],
        )
        for number, is_new, found in listed
        if number in names
    ]


async def _mentioned(
    conn: Connection, number: int
) -> list[tuple[int, bool, list[tuple[str, float]]]]:
    """The entities of a memory that is there already."""
    statements = await statements_store.of_version(conn, await store.newest(conn, number))
    return [
        (number, False, [])
        for number in dict.fromkeys(each.entity_id for each in statements.mentions)
    ]


async def _similar(conn: Connection, typed: _Response) -> list[Similar]:
    numbers = {each: memory_number(each) or 0 for each, _, _ in typed["similar"]}
    contents = await store.contents(conn, list(numbers.values()))
    return [
        Similar(each, contents[numbers[each]][:_SHOWN_CHARS], score, contradicts)
        for each, score, contradicts in typed["similar"]
        if numbers[each] in contents
    ]
