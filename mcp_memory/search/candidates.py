"""From a query to ranked candidates: bounded routes, evidence, features, one order."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mcp_memory.postgres.connection import Connection
from mcp_memory.search import rank, routes
from mcp_memory.search.features import MessageFeatures, describe
from mcp_memory.search.kinds import DOCUMENTS, MESSAGES, Candidate, Filter, Hit, Kind, weights_for
from mcp_memory.search.query import NamedEntity, Query
from mcp_memory.search.routes import AnchorHits, Evidence
from mcp_memory.text.terms import lexemes

# Only these are cut to what a kind ranks with full evidence.
_BY_CONTENT = {"lexical", "semantic"}
# Nothing looks deeper: a hundred results of messages with a hundred chunks each are reached.
_MAX_CANDIDATES = 12_800
# A text holds a name when it holds all of its words, but for what rounding takes away.
_HOLDS_ALL = 0.999


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates, best first, and the anchors that were looked for."""

    ranked: list[Candidate]
    anchors: list[str]


@dataclass(frozen=True, slots=True)
class _Matches:
    """What each route returned; `plain` are those by words, meaning and time, which reach deeper.

    `names` are the query's words that a chunk holds under others.
    """

    plain: Mapping[str, Sequence[Hit]]
    anchors: AnchorHits
    names: Mapping[int, frozenset[str]]
    by_route: Mapping[str, Sequence[Hit]]


def widening(first: int) -> Iterator[int]:
    """How many candidates to look at, again and again until there are enough answers."""
    limit = first
    while limit < _MAX_CANDIDATES:
        yield limit
        limit *= 4
    yield limit


async def candidates(
    conn: Connection, query: Query, filter: Filter, *, at_least: int
) -> Candidates:
    """The candidates, if there are so many at least that many; each is one message.

    The first are ranked with all their evidence, whatever is asked for; what lies deeper follows in
    the plain order of the routes. So a later page moves nothing that an earlier one has shown.
    """
    matches = await _matches(conn, query, filter)
    features, evidence = await _describe(conn, query, filter, matches)
    weights = weights_for(query.vector.provider)
    ranked = rank.order(features, matches.by_route, evidence, weights)
    first = rank.lift_anchors(ranked, matches.anchors.hits)
    if matches.anchors.are_given or _is_all(matches, filter) or len(first) >= at_least:
        return Candidates(first, matches.anchors.anchors)
    hits = _kind_of(filter).hits
    deeper = await _plain_hits(conn, query, filter, _depth_for(at_least, hits))
    before = {chunk_id for candidate in first for chunk_id in candidate.chunk_ids}
    rest = rank.stable_order(deeper, floor=0.0, first=hits)
    ranked = [*first, *(candidate for candidate in rest if candidate.chunk_id not in before)]
    return Candidates(ranked, matches.anchors.anchors)


async def describe_candidates(
    conn: Connection, query: Query, filter: Filter
) -> list[MessageFeatures]:
    """The candidates that are ranked with all their evidence, in no order: to learn from."""
    return (await _describe(conn, query, filter, await _matches(conn, query, filter)))[0]


async def _matches(conn: Connection, query: Query, filter: Filter) -> _Matches:
    """What every route returns, as deep as the kind asks for."""
    limit = _kind_of(filter).hits
    plain = await _plain_hits(conn, query, filter, limit)
    anchors = AnchorHits([], [])
    if query.may_have_anchors:
        given = dict(query.anchors)
        anchors = await routes.by_anchors(conn, query.question.text, given, filter, limit)
    names = await _names(conn, query.entities, filter, limit)
    mentions = [Hit(chunk_id, {"entity": 1.0}) for chunk_id in names][:limit]
    by_route = plain | {"anchor": anchors.hits, "entity": mentions}
    return _Matches(plain, anchors, names, by_route)


async def _plain_hits(
    conn: Connection, query: Query, filter: Filter, limit: int
) -> dict[str, Sequence[Hit]]:
    words, marks = query.question.lexemes, query.question.marks
    hits: dict[str, Sequence[Hit]] = {
        "lexical": await routes.lexical(conn, words, filter, limit),
        "semantic": await routes.semantic(conn, query.vector, filter, limit),
    }
    if marks:
        hits["time"] = await routes.of_times(conn, marks, words, filter, limit)
    return hits


async def _names(
    conn: Connection, entities: Sequence[NamedEntity], filter: Filter, limit: int
) -> dict[int, frozenset[str]]:
    """Chunks that mention what is named, facts that say so and texts with another name.

    A text that calls an entity by another name than the query does holds the words of the query as
    well as if it had used them: so each comes with those, and the ranking needs no number for it.
    """
    names: dict[int, frozenset[str]] = {}
    for entity in entities:
        for chunk_id in await _mentioning(conn, entity, filter, limit):
            names[chunk_id] = names.get(chunk_id, frozenset()) | entity.lexemes
    return names


async def _mentioning(
    conn: Connection, entity: NamedEntity, filter: Filter, limit: int
) -> list[int]:
    chunk_ids: list[int] = []
    if "graph" in filter.sources:
        chunk_ids += await routes.mentioning(conn, entity.entity_ids, filter, limit)
    for name in entity.other_names:
        words = list(dict.fromkeys(lexemes(name)))
        hits = await routes.lexical(conn, words, filter, limit)
        chunk_ids += (hit.chunk_id for hit in hits if hit.signals["coverage"] >= _HOLDS_ALL)
    return chunk_ids


def _kind_of(filter: Filter) -> Kind:
    """How deep to look: as deep as the deepest kind among the sources."""
    return MESSAGES if "transcripts" in filter.sources else DOCUMENTS


def _to_rank(by_route: Mapping[str, Sequence[Hit]], filter: Filter) -> list[int]:
    """What is ranked by its evidence, the best by words and meaning first, and of the rest what is
    found by what it names or when it was."""
    best = rank.foremost(by_route)
    most = _kind_of(filter).ranked or len(best)
    others = {hit.chunk_id for route in by_route.keys() - _BY_CONTENT for hit in by_route[route]}
    return [*best[:most], *(chunk_id for chunk_id in best[most:] if chunk_id in others)]


def _is_all(matches: _Matches, filter: Filter) -> bool:
    """Whether no route has more to give, and all that it gave is ranked by its evidence."""
    has_more = any(len(hits) >= _kind_of(filter).hits for hits in matches.plain.values())
    chunk_ids = {hit.chunk_id for hits in matches.plain.values() for hit in hits}
    return not has_more and len(chunk_ids) == len(_to_rank(matches.plain, filter))


def _depth_for(at_least: int, limit: int) -> int:
    """How many hits of each route so many candidates take, in steps that pages share."""
    while limit < at_least * 2:
        limit *= 2
    return limit * 2


async def _describe(
    conn: Connection, query: Query, filter: Filter, matches: _Matches
) -> tuple[list[MessageFeatures], list[Evidence]]:
    chunk_ids = _to_rank(matches.by_route, filter)
    if not chunk_ids:
        return [], []
    evidence = await routes.evidence(
        conn,
        chunk_ids,
        chunk_ids[: _kind_of(filter).seeds],
        filter=filter,
        lexemes=query.lexemes,
        query=query.vector,
    )
    if matches.names:
        evidence = [_with_names(chunk, matches.names, query.lexemes) for chunk in evidence]
    return describe(query.question, query.weights, evidence), evidence


def _with_names(
    chunk: Evidence, names: Mapping[int, frozenset[str]], columns: Sequence[str]
) -> Evidence:
    """The chunk, holding the words that name an entity which it calls otherwise."""
    words = names.get(chunk.chunk_id)
    if not words:
        return chunk
    hits = [
        max(hit, 1.0) if word in words else hit
        for hit, word in zip(chunk.hits, columns, strict=True)
    ]
    return chunk._replace(hits=hits)
