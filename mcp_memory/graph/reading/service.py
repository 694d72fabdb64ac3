"""The questions to the graph that need no search: each is one transaction that only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mcp_memory.db.connection import Connection
from mcp_memory.errors import EntityNotFound, InvalidInput, MemoryNotFound
from mcp_memory.graph.names import entity_number, memory_id, memory_number, normal
from mcp_memory.graph.reading import store
from mcp_memory.graph.reading.cursors import Place, from_place, to_place
from mcp_memory.graph.reading.models import (
    FoundMemory,
    GraphAnswer,
    GraphQuery,
    Held,
    Instants,
    Step,
)
from mcp_memory.graph.reading.store import Page
from mcp_memory.graph.traversal import paths
from mcp_memory.graph.traversal import store as traversal
from mcp_memory.graph.traversal.paths import as_step
from mcp_memory.graph.traversal.store import TraversalOptions

_SORTS = {
    "recent": "recorded_at",
    "important": "importance",
    "typed": "importance",
    "timeline": "timeline",
    "entity": "rank",
    "related": "rank",
}
_MAX_RELATIONS = 100
_MAX_CHAIN_LENGTH = 1000


async def answer(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    """The answer to a question in any mode but hybrid."""
    match asked.mode:
        case "recent" | "important" | "typed":
            return await _listed(conn, asked)
        case "timeline":
            return await _timeline(conn, asked)
        case "entity":
            return await _about_entity(conn, asked)
        case "related":
            return await _related(conn, asked)
        case "path":
            return await _path(conn, asked)
        case "history":
            return await _history(conn, asked)
        case "types":
            counts = await store.counted(conn, asked.wanted, asked.instants)
            return GraphAnswer(types=counts)
        case "hybrid":
            raise InvalidInput("mode", "hybrid is a search; it needs a query")


@dataclass(frozen=True, slots=True)
class _Start:
    """Where the page begins, and as of when all its pages are read."""

    instants: Instants
    page: Page


def _start(asked: GraphQuery, instants: Instants) -> _Start:
    """One row more than the page shows tells whether there is another."""
    sort = asked.sort_by or _SORTS.get(asked.mode, "recorded_at")
    if not asked.cursor:
        return _Start(instants, Page(sort, asked.limit + 1))
    place = from_place(asked.mode, asked.cursor)
    pinned = replace(instants, as_of=place.as_of, known_at=place.known_at)
    return _Start(pinned, Page(sort, asked.limit + 1, place.after))


async def _listed(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    if asked.mode == "typed" and asked.wanted.memory_type is None:
        raise InvalidInput("memory_type", "is required for mode typed")
    start = _start(asked, asked.instants)
    rows = await store.listed(conn, asked.wanted, start.instants, start.page)
    return await _page(conn, asked, start.instants, rows)


async def _timeline(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    """What was ever so, in the order of its time; with as_of only what is so then."""
    always = replace(asked.instants, always=asked.instants.as_of is None)
    start = _start(asked, always)
    start = replace(start, instants=replace(start.instants, always=always.always))
    if not asked.entity:
        rows = await store.listed(conn, asked.wanted, start.instants, start.page)
        return await _page(conn, asked, start.instants, rows)
    entities = await resolved(conn, asked.entity)
    options = await traversal_options(conn, asked, start.instants)
    hops = await traversal.mentioning(conn, entities, _depth(asked) - 1, options)
    return await _among(conn, asked, start, hops)


async def _about_entity(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    """What names the entity, or one that is up to depth - 1 relations away."""
    entities = await resolved(conn, asked.entity or asked.query)
    start = _start(asked, asked.instants)
    options = await traversal_options(conn, asked, start.instants)
    hops = await traversal.mentioning(conn, entities, _depth(asked) - 1, options)
    found = await _among(conn, asked, start, hops)
    relations = await traversal.relations_of(conn, entities, _MAX_RELATIONS, options)
    return replace(found, relations=[as_step(each) for each in relations])


async def _related(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    start = _start(asked, asked.instants)
    options = await traversal_options(conn, asked, start.instants)
    if asked.entity and not asked.id:
        entities = await resolved(conn, asked.entity)
        hops = await traversal.relating(conn, entities, _depth(asked), options)
        found = await _among(conn, asked, start, {id: hop - 1 for id, hop in hops.items()})
        relations = await traversal.relations_of(conn, entities, _MAX_RELATIONS, options)
        return replace(found, relations=[as_step(each) for each in relations])
    number = await _visible(conn, asked.id)
    hops = await traversal.linked(conn, [number], _depth(asked), options)
    found = await _among(conn, asked, start, {id: hop - 1 for id, hop in hops.items()})
    held = [each.held for each in found.memories]
    return replace(found, relations=await _links(conn, number, held, start.instants))


async def _links(
    conn: Connection, number: int, found: Sequence[Held], instants: Instants
) -> list[Step]:
    """The links between the found memories and the one that was asked about."""
    shown = {number, *(each.memory_id for each in found)}
    steps = {
        Step(memory_id(source), link.relation, memory_id(target), source): None
        for link in await store.links_of(conn, found, instants)
        for source, target in [
            (link.memory_id, link.other_id) if link.forward else (link.other_id, link.memory_id)
        ]
        if link.other_id in shown
    }
    return list(steps)


async def _path(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    start = await resolved(conn, asked.entity)
    end = await resolved(conn, asked.related_to, parameter="related_to")
    options = await traversal_options(conn, asked, asked.instants)
    steps = await paths.shortest(conn, start, end, asked.depth or paths.DEFAULT_MAX_HOPS, options)
    if not steps:
        return GraphAnswer(path=[])
    ranks = {step.memory_id: -float(place) for place, step in enumerate(steps)}
    page = Page("rank", len(ranks))
    rows = await store.listed_among(conn, ranks, asked.wanted, asked.instants, page)
    return GraphAnswer(memories=await found_memories(conn, rows), path=steps)


async def _history(conn: Connection, asked: GraphQuery) -> GraphAnswer:
    """Every version, with what was superseded and by what; with as_of only what is so then."""
    number = await _visible(conn, asked.id)
    start = _start(asked, asked.instants)
    known_at = start.instants.known_at
    if asked.instants.as_of is None:
        rows = await store.history(conn, number, known_at, replace(start.page, sort="recorded_at"))
        start = replace(start, instants=replace(start.instants, as_of=None))
        return await _page(conn, asked, start.instants, rows)
    chain = await store.history(conn, number, known_at, Page("recorded_at", _MAX_CHAIN_LENGTH))
    ranks = {row.memory_id: row.place for row in chain}
    rows = await store.listed_among(conn, ranks, asked.wanted, start.instants, start.page)
    return await _page(conn, asked, start.instants, rows)


async def _among(
    conn: Connection, asked: GraphQuery, start: _Start, hops: Mapping[int, int]
) -> GraphAnswer:
    """A page of these memories, by default the nearest first; each step halves the score."""
    ranks = {id: 0.5**hop for id, hop in hops.items()}
    rows = await store.listed_among(conn, ranks, asked.wanted, start.instants, start.page)
    found = await _page(conn, asked, start.instants, rows)
    scored = [replace(each, score=ranks[each.held.memory_id]) for each in found.memories]
    return replace(found, memories=scored)


async def _page(
    conn: Connection, asked: GraphQuery, instants: Instants, rows: Sequence[Held]
) -> GraphAnswer:
    """The rows as an answer; the last one, if it is too many, is why there is another page."""
    shown = rows[: asked.limit]
    memories = await found_memories(conn, shown)
    if len(rows) <= asked.limit or not shown:
        return GraphAnswer(memories=memories)
    now = await store.transaction_time(conn)
    last = shown[-1]
    place = Place(
        (last.place, last.memory_id, last.version), instants.as_of or now, instants.known_at or now
    )
    return GraphAnswer(memories=memories, next_cursor=to_place(asked.mode, place))


async def found_memories(conn: Connection, rows: Sequence[Held]) -> list[FoundMemory]:
    """The memories with their entities, in the order of the rows; every score is 1."""
    entities = await store.entities_of(conn, [(row.memory_id, row.version) for row in rows])
    return [FoundMemory(row, 1.0, entities.get((row.memory_id, row.version), [])) for row in rows]


async def resolved(conn: Connection, text: str, *, parameter: str = "entity") -> list[int]:
    """Every entity that is meant by a name or an id; `EntityNotFound` names near ones."""
    if not text.strip():
        raise InvalidInput(parameter, "is required for this mode: a name or an id")
    found = await traversal.named(conn, normal(text))
    if not found and (number := entity_number(text)) is not None:
        names = await traversal.names_of(conn, number)
        found = [number] if names else []
        for name in names:
            found += await traversal.named(conn, name)
    if not found:
        raise EntityNotFound(text, near=await traversal.near_names(conn, text))
    return sorted(set(found))


async def traversal_options(
    conn: Connection, asked: GraphQuery, instants: Instants
) -> TraversalOptions:
    """How the question wants the graph to be traversed."""
    types = None if asked.relation_types is None else list(asked.relation_types)
    return TraversalOptions(instants, await traversal.others_share(conn), types)


async def _visible(conn: Connection, text: str) -> int:
    if not text.strip():
        raise InvalidInput("id", "is required for this mode: a memory's id")
    number = memory_number(text)
    if number is None or not await store.is_visible(conn, number):
        raise MemoryNotFound(text)
    return number


def _depth(asked: GraphQuery) -> int:
    return asked.depth or 1


def pinned(instants: Instants, now: datetime) -> Instants:
    """The same instants on every page: what was open is what it was on the first."""
    return replace(instants, as_of=instants.as_of or now, known_at=instants.known_at or now)
