"""The questions to the graph that need no search: each is one transaction that only reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mcp_memory.db.connection import Connection
from mcp_memory.errors import EntityNotFound, FactNotFound, InvalidInput
from mcp_memory.graph.names import entity_number, fact_id, fact_number, normalize
from mcp_memory.graph.reading import store
from mcp_memory.graph.reading.cursors import Position, read_position, write_position
from mcp_memory.graph.reading.models import (
    FactAnswer,
    FactMatch,
    FactQuery,
    FactVersion,
    Instants,
    Step,
)
from mcp_memory.graph.reading.store import PageRange
from mcp_memory.graph.traversal import paths
from mcp_memory.graph.traversal import store as traversal
from mcp_memory.graph.traversal.paths import to_step
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


async def answer(conn: Connection, asked: FactQuery) -> FactAnswer:
    """The answer to a question in any mode but hybrid."""
    match asked.mode:
        case "recent" | "important" | "typed":
            return await _list(conn, asked)
        case "timeline":
            return await _answer_timeline(conn, asked)
        case "entity":
            return await _answer_entity(conn, asked)
        case "related":
            return await _answer_related(conn, asked)
        case "path":
            return await _answer_path(conn, asked)
        case "history":
            return await _answer_history(conn, asked)
        case "types":
            counts = await store.count_types(conn, asked.filter, asked.instants)
            return FactAnswer(types=counts)
        case "hybrid":
            raise InvalidInput("mode", "hybrid is a search; it needs a query")


@dataclass(frozen=True, slots=True)
class _PageStart:
    """Where the page begins, and as of when all its pages are read."""

    instants: Instants
    page: PageRange


def _page_start(asked: FactQuery, instants: Instants) -> _PageStart:
    """One row more than the page shows tells whether there is another."""
    sort = asked.sort_by or _SORTS.get(asked.mode, "recorded_at")
    if not asked.cursor:
        return _PageStart(instants, PageRange(sort, asked.limit + 1))
    place = read_position(asked.mode, asked.cursor)
    pinned = replace(instants, as_of=place.as_of, known_at=place.known_at)
    return _PageStart(pinned, PageRange(sort, asked.limit + 1, place.after))


async def _list(conn: Connection, asked: FactQuery) -> FactAnswer:
    if asked.mode == "typed" and asked.filter.memory_type is None:
        raise InvalidInput("memory_type", "is required for mode typed")
    start = _page_start(asked, asked.instants)
    rows = await store.list_facts(conn, asked.filter, start.instants, start.page)
    return await _to_answer(conn, asked, start.instants, rows)


async def _answer_timeline(conn: Connection, asked: FactQuery) -> FactAnswer:
    """What was ever so, in the order of its time; with as_of only what is so then."""
    always = replace(asked.instants, always=asked.instants.as_of is None)
    start = _page_start(asked, always)
    start = replace(start, instants=replace(start.instants, always=always.always))
    if not asked.entity:
        rows = await store.list_facts(conn, asked.filter, start.instants, start.page)
        return await _to_answer(conn, asked, start.instants, rows)
    entities = await resolve_entity(conn, asked.entity)
    options = await get_traversal_options(conn, asked, start.instants)
    hops = await traversal.find_mentioning(conn, entities, _depth(asked) - 1, options)
    return await _rank_among(conn, asked, start, hops)


async def _answer_entity(conn: Connection, asked: FactQuery) -> FactAnswer:
    """What names the entity, or one that is up to depth - 1 relations away."""
    entities = await resolve_entity(conn, asked.entity or asked.query)
    start = _page_start(asked, asked.instants)
    options = await get_traversal_options(conn, asked, start.instants)
    hops = await traversal.find_mentioning(conn, entities, _depth(asked) - 1, options)
    found = await _rank_among(conn, asked, start, hops)
    relations = await traversal.get_relations(conn, entities, _MAX_RELATIONS, options)
    return replace(found, relations=[to_step(each) for each in relations])


async def _answer_related(conn: Connection, asked: FactQuery) -> FactAnswer:
    start = _page_start(asked, asked.instants)
    options = await get_traversal_options(conn, asked, start.instants)
    if asked.entity and not asked.id:
        entities = await resolve_entity(conn, asked.entity)
        hops = await traversal.find_relating(conn, entities, _depth(asked), options)
        found = await _rank_among(conn, asked, start, {id: hop - 1 for id, hop in hops.items()})
        relations = await traversal.get_relations(conn, entities, _MAX_RELATIONS, options)
        return replace(found, relations=[to_step(each) for each in relations])
    number = await _get_visible(conn, asked.id)
    hops = await traversal.find_linked(conn, [number], _depth(asked), options)
    found = await _rank_among(conn, asked, start, {id: hop - 1 for id, hop in hops.items()})
    held = [each.version for each in found.matches]
    return replace(found, relations=await _link_steps(conn, number, held, start.instants))


async def _link_steps(
    conn: Connection, number: int, found: Sequence[FactVersion], instants: Instants
) -> list[Step]:
    """The links between the found memories and the one that was asked about."""
    shown = {number, *(each.memory_id for each in found)}
    steps = {
        Step(fact_id(source), link.relation, fact_id(target), source): None
        for link in await store.get_links(conn, found, instants)
        for source, target in [
            (link.memory_id, link.other_id) if link.forward else (link.other_id, link.memory_id)
        ]
        if link.other_id in shown
    }
    return list(steps)


async def _answer_path(conn: Connection, asked: FactQuery) -> FactAnswer:
    start = await resolve_entity(conn, asked.entity)
    end = await resolve_entity(conn, asked.related_to, parameter="related_to")
    options = await get_traversal_options(conn, asked, asked.instants)
    steps = await paths.find_shortest(
        conn, start, end, asked.depth or paths.DEFAULT_MAX_HOPS, options
    )
    if not steps:
        return FactAnswer(path=[])
    ranks = {step.memory_id: -float(place) for place, step in enumerate(steps)}
    page = PageRange("rank", len(ranks))
    rows = await store.list_among(conn, ranks, asked.filter, asked.instants, page)
    return FactAnswer(matches=await to_matches(conn, rows), path=steps)


async def _answer_history(conn: Connection, asked: FactQuery) -> FactAnswer:
    """Every version, with what was superseded and by what; with as_of only what is so then."""
    number = await _get_visible(conn, asked.id)
    start = _page_start(asked, asked.instants)
    known_at = start.instants.known_at
    if asked.instants.as_of is None:
        rows = await store.get_history(
            conn, number, known_at, replace(start.page, sort="recorded_at")
        )
        start = replace(start, instants=replace(start.instants, as_of=None))
        return await _to_answer(conn, asked, start.instants, rows)
    chain = await store.get_history(
        conn, number, known_at, PageRange("recorded_at", _MAX_CHAIN_LENGTH)
    )
    ranks = {row.memory_id: row.position for row in chain}
    rows = await store.list_among(conn, ranks, asked.filter, start.instants, start.page)
    return await _to_answer(conn, asked, start.instants, rows)


async def _rank_among(
    conn: Connection, asked: FactQuery, start: _PageStart, hops: Mapping[int, int]
) -> FactAnswer:
    """A page of these memories, by default the nearest first; each step halves the score."""
    ranks = {id: 0.5**hop for id, hop in hops.items()}
    rows = await store.list_among(conn, ranks, asked.filter, start.instants, start.page)
    found = await _to_answer(conn, asked, start.instants, rows)
    scored = [replace(each, score=ranks[each.version.memory_id]) for each in found.matches]
    return replace(found, matches=scored)


async def _to_answer(
    conn: Connection, asked: FactQuery, instants: Instants, rows: Sequence[FactVersion]
) -> FactAnswer:
    """The rows as an answer; the last one, if it is too many, is why there is another page."""
    shown = rows[: asked.limit]
    matches = await to_matches(conn, shown)
    if len(rows) <= asked.limit or not shown:
        return FactAnswer(matches=matches)
    now = await store.transaction_time(conn)
    last = shown[-1]
    place = Position(
        (last.position, last.memory_id, last.version),
        instants.as_of or now,
        instants.known_at or now,
    )
    return FactAnswer(matches=matches, next_cursor=write_position(asked.mode, place))


async def to_matches(conn: Connection, rows: Sequence[FactVersion]) -> list[FactMatch]:
    """The memories with their entities, in the order of the rows; every score is 1."""
    entities = await store.get_entity_names(conn, [(row.memory_id, row.version) for row in rows])
    return [FactMatch(row, 1.0, entities.get((row.memory_id, row.version), [])) for row in rows]


async def resolve_entity(conn: Connection, text: str, *, parameter: str = "entity") -> list[int]:
    """Every entity that is meant by a name or an id; `EntityNotFound` names near ones."""
    if not text.strip():
        raise InvalidInput(parameter, "is required for this mode: a name or an id")
    found = await traversal.find_entities(conn, normalize(text))
    if not found and (number := entity_number(text)) is not None:
        names = await traversal.get_normals(conn, number)
        found = [number] if names else []
        for name in names:
            found += await traversal.find_entities(conn, name)
    if not found:
        raise EntityNotFound(text, near=await traversal.find_near_names(conn, text))
    return sorted(set(found))


async def get_traversal_options(
    conn: Connection, asked: FactQuery, instants: Instants
) -> TraversalOptions:
    """How the question wants the graph to be traversed."""
    types = None if asked.relation_types is None else list(asked.relation_types)
    return TraversalOptions(instants, await traversal.others_share(conn), types)


async def _get_visible(conn: Connection, text: str) -> int:
    if not text.strip():
        raise InvalidInput("id", "is required for this mode: a memory's id")
    number = fact_number(text)
    if number is None or not await store.is_visible(conn, number):
        raise FactNotFound(text)
    return number


def _depth(asked: FactQuery) -> int:
    return asked.depth or 1


def pin(instants: Instants, now: datetime) -> Instants:
    """The same instants on every page: what was open is what it was on the first."""
    return replace(instants, as_of=instants.as_of or now, known_at=instants.known_at or now)
