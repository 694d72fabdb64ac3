"""Facts that are looked up, mode by mode: lists, entities, links, paths and histories."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from mcp_memory.errors import EntityNotFound, FactNotFound, InvalidInput
from mcp_memory.memory.facts import rows as facts_rows
from mcp_memory.memory.facts import traversal
from mcp_memory.memory.facts.model import entity_number, fact_id, fact_number
from mcp_memory.memory.facts.query import (
    FactAnswer,
    FactMatch,
    FactQuery,
    FactVersion,
    Instants,
    Position,
    Step,
    read_position,
    write_position,
)
from mcp_memory.memory.facts.rows import PageRange
from mcp_memory.memory.facts.traversal import RelationRow, TraversalOptions
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.terms import normalize

# As far as a path is looked for when nobody says.
DEFAULT_MAX_HOPS = 6


async def find_shortest(
    conn: Connection,
    start: Collection[int],
    end: Collection[int],
    longest: int,
    options: TraversalOptions,
) -> list[Step] | None:
    """The relations from start to end, as they are stated; None when no path is that short."""
    near = await traversal.reach(conn, start, 0, options)
    far = await traversal.reach(conn, end, 0, options)
    if (meeting := _meeting(near, far)) is not None:
        return []
    for length in range(1, longest + 1):
        if length % 2:
            near = await traversal.reach(conn, start, (length + 1) // 2, options)
        else:
            far = await traversal.reach(conn, end, length // 2, options)
        meeting = _meeting(near, far)
        if meeting is not None:
            back = await _walk_back(conn, meeting, near, options)
            return [*reversed(back), *await _walk_back(conn, meeting, far, options)]
    return None


def _meeting(near: Mapping[int, int], far: Mapping[int, int]) -> int | None:
    """The entity that both sides reached, with the shortest path over it."""
    both = near.keys() & far.keys()
    return min(both, key=lambda entity: (near[entity] + far[entity], entity)) if both else None


async def _walk_back(
    conn: Connection, entity: int, hops: Mapping[int, int], options: TraversalOptions
) -> list[Step]:
    """From an entity that was reached back to where the traversal began, one relation a step."""
    steps: list[Step] = []
    for hop in range(hops[entity], 0, -1):
        same = await traversal.reach(conn, [entity], 0, options)
        before = [entity for entity, distance in hops.items() if distance == hop - 1]
        relation = (await traversal.find_between(conn, before, same.keys(), options))[0]
        steps.append(to_step(relation))
        entity = relation.object_id if relation.subject_id in same else relation.subject_id
    return steps


def to_step(relation: RelationRow) -> Step:
    """The relation as a step of a path, in the direction that it is stated in."""
    return Step(relation.subject, relation.relation, relation.object, relation.memory_id)


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


async def answer_query(conn: Connection, request: FactQuery) -> FactAnswer:
    """The answer to a question in any mode but hybrid."""
    match request.mode:
        case "recent" | "important" | "typed":
            return await _list(conn, request)
        case "timeline":
            return await _answer_timeline(conn, request)
        case "entity":
            return await _answer_entity(conn, request)
        case "related":
            return await _answer_related(conn, request)
        case "path":
            return await _answer_path(conn, request)
        case "history":
            return await _answer_history(conn, request)
        case "types":
            counts = await facts_rows.count_types(conn, request.filter, request.instants)
            return FactAnswer(types=counts)
        case "hybrid":
            raise InvalidInput("mode", "hybrid is a search; it needs a query")


@dataclass(frozen=True, slots=True)
class _PageStart:
    """Where the page begins, and as of when all its pages are read."""

    instants: Instants
    page: PageRange


def _page_start(request: FactQuery, instants: Instants) -> _PageStart:
    """One row more than the page shows tells whether there is another."""
    sort = request.sort_by or _SORTS.get(request.mode, "recorded_at")
    if not request.cursor:
        return _PageStart(instants, PageRange(sort, request.limit + 1))
    position = read_position(request.mode, request.cursor)
    first = replace(instants, as_of=position.as_of, known_at=position.known_at)
    return _PageStart(first, PageRange(sort, request.limit + 1, position.after))


async def _list(conn: Connection, request: FactQuery) -> FactAnswer:
    if request.mode == "typed" and request.filter.memory_type is None:
        raise InvalidInput("memory_type", "is required for mode typed")
    start = _page_start(request, request.instants)
    rows = await facts_rows.list_facts(conn, request.filter, start.instants, start.page)
    return await _to_answer(conn, request, start.instants, rows)


async def _answer_timeline(conn: Connection, request: FactQuery) -> FactAnswer:
    """What was ever so, in the order of its time; with as_of only what is so then."""
    always = replace(request.instants, always=request.instants.as_of is None)
    start = _page_start(request, always)
    start = replace(start, instants=replace(start.instants, always=always.always))
    if not request.entity:
        rows = await facts_rows.list_facts(conn, request.filter, start.instants, start.page)
        return await _to_answer(conn, request, start.instants, rows)
    entities = await resolve_entity(conn, request.entity)
    options = await get_traversal_options(conn, request, start.instants)
    hops = await traversal.find_mentioning(conn, entities, _depth(request) - 1, options)
    return await _rank_among(conn, request, start, hops)


async def _answer_entity(conn: Connection, request: FactQuery) -> FactAnswer:
    """What names the entity, or one that is up to depth - 1 relations away."""
    entities = await resolve_entity(conn, request.entity or request.query)
    start = _page_start(request, request.instants)
    options = await get_traversal_options(conn, request, start.instants)
    hops = await traversal.find_mentioning(conn, entities, _depth(request) - 1, options)
    answer = await _rank_among(conn, request, start, hops)
    relations = await traversal.get_relations(conn, entities, _MAX_RELATIONS, options)
    return replace(answer, relations=[to_step(relation) for relation in relations])


async def _answer_related(conn: Connection, request: FactQuery) -> FactAnswer:
    start = _page_start(request, request.instants)
    options = await get_traversal_options(conn, request, start.instants)
    if request.entity and not request.id:
        entities = await resolve_entity(conn, request.entity)
        hops = await traversal.find_relating(conn, entities, _depth(request), options)
        answer = await _rank_among(conn, request, start, {id: hop - 1 for id, hop in hops.items()})
        relations = await traversal.get_relations(conn, entities, _MAX_RELATIONS, options)
        return replace(answer, relations=[to_step(relation) for relation in relations])
    number = await _get_visible(conn, request.id)
    hops = await traversal.find_linked(conn, [number], _depth(request), options)
    answer = await _rank_among(conn, request, start, {id: hop - 1 for id, hop in hops.items()})
    versions = [match.version for match in answer.matches]
    return replace(answer, relations=await _link_steps(conn, number, versions, start.instants))


async def _link_steps(
    conn: Connection, number: int, versions: Sequence[FactVersion], instants: Instants
) -> list[Step]:
    """The links between these facts and the one that was asked about."""
    numbers = {number, *(version.memory_id for version in versions)}
    steps = {
        Step(fact_id(source), link.relation, fact_id(target), source): None
        for link in await facts_rows.get_links(conn, versions, instants)
        for source, target in [
            (link.memory_id, link.other_id) if link.forward else (link.other_id, link.memory_id)
        ]
        if link.other_id in numbers
    }
    return list(steps)


async def _answer_path(conn: Connection, request: FactQuery) -> FactAnswer:
    start = await resolve_entity(conn, request.entity)
    end = await resolve_entity(conn, request.related_to, parameter="related_to")
    options = await get_traversal_options(conn, request, request.instants)
    steps = await find_shortest(conn, start, end, request.depth or DEFAULT_MAX_HOPS, options)
    if not steps:
        return FactAnswer(path=[])
    ranks = {step.memory_id: -float(position) for position, step in enumerate(steps)}
    page = PageRange("rank", len(ranks))
    rows = await facts_rows.list_among(conn, ranks, request.filter, request.instants, page)
    return FactAnswer(matches=await to_matches(conn, rows), path=steps)


async def _answer_history(conn: Connection, request: FactQuery) -> FactAnswer:
    """Every version, with what was superseded and by what; with as_of only what is so then."""
    number = await _get_visible(conn, request.id)
    start = _page_start(request, request.instants)
    known_at = start.instants.known_at
    if request.instants.as_of is None:
        rows = await facts_rows.get_history(
            conn, number, known_at, replace(start.page, sort="recorded_at")
        )
        start = replace(start, instants=replace(start.instants, as_of=None))
        return await _to_answer(conn, request, start.instants, rows)
    chain = await facts_rows.get_history(
        conn, number, known_at, PageRange("recorded_at", _MAX_CHAIN_LENGTH)
    )
    ranks = {row.memory_id: row.position for row in chain}
    rows = await facts_rows.list_among(conn, ranks, request.filter, start.instants, start.page)
    return await _to_answer(conn, request, start.instants, rows)


async def _rank_among(
    conn: Connection, request: FactQuery, start: _PageStart, hops: Mapping[int, int]
) -> FactAnswer:
    """A page of these facts, by default the nearest first; each step halves the score."""
    ranks = {id: 0.5**hop for id, hop in hops.items()}
    rows = await facts_rows.list_among(conn, ranks, request.filter, start.instants, start.page)
    answer = await _to_answer(conn, request, start.instants, rows)
    matches = [replace(match, score=ranks[match.version.memory_id]) for match in answer.matches]
    return replace(answer, matches=matches)


async def _to_answer(
    conn: Connection, request: FactQuery, instants: Instants, rows: Sequence[FactVersion]
) -> FactAnswer:
    """The rows as an answer; the last one, if it is too many, is why there is another page."""
    page = rows[: request.limit]
    matches = await to_matches(conn, page)
    if len(rows) <= request.limit or not page:
        return FactAnswer(matches=matches)
    now = await facts_rows.transaction_time(conn)
    last = page[-1]
    position = Position(
        (last.position, last.memory_id, last.version),
        instants.as_of or now,
        instants.known_at or now,
    )
    return FactAnswer(matches=matches, next_cursor=write_position(request.mode, position))


async def to_matches(conn: Connection, rows: Sequence[FactVersion]) -> list[FactMatch]:
    """The facts with their entities, in the order of the rows; every score is 1."""
    entities = await facts_rows.get_entity_names(
        conn, [(row.memory_id, row.version) for row in rows]
    )
    return [FactMatch(row, 1.0, entities.get((row.memory_id, row.version), [])) for row in rows]


async def resolve_entity(conn: Connection, text: str, *, parameter: str = "entity") -> list[int]:
    """Every entity that is meant by a name or an id; `EntityNotFound` names near ones."""
    if not text.strip():
        raise InvalidInput(parameter, "is required for this mode: a name or an id")
    numbers = await traversal.find_entities(conn, normalize(text))
    if not numbers and (number := entity_number(text)) is not None:
        names = await traversal.get_normals(conn, number)
        numbers = [number] if names else []
        for name in names:
            numbers += await traversal.find_entities(conn, name)
    if not numbers:
        raise EntityNotFound(text, near=await traversal.find_near_names(conn, text))
    return sorted(set(numbers))


async def get_traversal_options(
    conn: Connection, request: FactQuery, instants: Instants
) -> TraversalOptions:
    """How the question wants the graph to be traversed."""
    types = None if request.relation_types is None else list(request.relation_types)
    return TraversalOptions(instants, await traversal.others_share(conn), types)


async def _get_visible(conn: Connection, text: str) -> int:
    if not text.strip():
        raise InvalidInput("id", "is required for this mode: a memory's id")
    number = fact_number(text)
    if number is None or not await facts_rows.is_visible(conn, number):
        raise FactNotFound(text)
    return number


def _depth(request: FactQuery) -> int:
    return request.depth or 1


def pin(instants: Instants, now: datetime) -> Instants:
    """The same instants on every page: what was open is what it was on the first."""
    return replace(instants, as_of=instants.as_of or now, known_at=instants.known_at or now)
