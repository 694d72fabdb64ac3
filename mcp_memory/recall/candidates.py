"""From a question to ranked candidates: bounded routes, evidence, features, one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcp_memory.db.connection import Connection
from mcp_memory.recall import anchors, entities, features, ranking, routes
from mcp_memory.recall.entities import Mentioned
from mcp_memory.recall.features import Described, Evidence
from mcp_memory.recall.models import Candidate, Hit, SearchFilter
from mcp_memory.recall.question import Question
from mcp_memory.recall.spell_correction import weighed
from mcp_memory.recall.stable_order import ordered
from mcp_memory.recall.weights import weights_for
from mcp_memory.spaces.service import QueryVector


@dataclass(frozen=True, slots=True)
class Depth:
    """How many hits each route returns first (`hits`), and how many of those, the best by words and
    meaning, are ranked with full evidence (`ranked`; None: all)."""

    hits: int
    ranked: int | None


# A short message may be worth more than it shows: with 160 ranked, LoCoMo's recall at ten falls by
# .01. A passage says enough: among 7,000 of them, recall at 5, 10 and 20 is no better with twice
# as many as 60 hits and 80 ranked.
_OF_MESSAGES = Depth(hits=120, ranked=None)
OF_PASSAGES = Depth(hits=80, ranked=100)
_SEEDS = 20
_PLAIN = {"lexical", "semantic"}


@dataclass(frozen=True, slots=True)
class PreparedQuery:
    """A question with its vector, if it has one, and the anchors that were given with it.

    `weights` are of its lexemes, once the database was asked.
    """

    question: Question
    vector: QueryVector
    anchors: tuple[tuple[str, str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict[str, float])


async def best_candidates(
    conn: Connection, prepared: PreparedQuery, search_filter: SearchFilter, *, wanted: int
) -> list[Candidate]:
    """At least `wanted` candidates, best first, if there are so many; each is one message.

    The first are ranked with all their evidence, whatever is wanted; what lies deeper follows in
    the plain order of the routes. So a later page moves nothing that an earlier one has shown.
    """
    depth = _depth(search_filter)
    prepared = await _weighed(conn, prepared)
    found = await _hits(conn, prepared, search_filter, depth.hits)
    marked = await _anchored(conn, prepared, search_filter)
    mentioned = await _mentioned(conn, prepared, search_filter)
    more = {anchors.ROUTE: marked, entities.ROUTE: mentioned.hits}
    ranked = await _ranked(conn, prepared, search_filter, found | more, mentioned)
    first = anchors.lifted(ranked, marked)
    if anchors.are_given(marked) or _is_all(found, search_filter) or len(first) >= wanted:
        return first
    deeper = await _hits(conn, prepared, search_filter, _reaching(wanted, depth.hits))
    known = {chunk_id for candidate in first for chunk_id in candidate.chunk_ids}
    rest = ordered(deeper, floor=0.0, first=depth.hits)
    return [*first, *(each for each in rest if each.chunk_id not in known)]


def _depth(search_filter: SearchFilter) -> Depth:
    return _OF_MESSAGES if _has_messages(search_filter) else OF_PASSAGES


def _is_all(found: Mapping[str, Sequence[Hit]], search_filter: SearchFilter) -> bool:
    """Whether no route has more to give, and all that was found is ranked by its evidence."""
    is_deep = any(len(hits) >= _depth(search_filter).hits for hits in found.values())
    return not is_deep and len(_ids(found)) == len(_to_rank(found, search_filter))


def _to_rank(found: Mapping[str, Sequence[Hit]], search_filter: SearchFilter) -> list[int]:
    """What is ranked by its evidence, the best by words and meaning first, and of the rest what is
    found by what it names or when it was."""
    best = ranking.foremost(found, len(_ids(found)))
    most = _depth(search_filter).ranked or len(best)
    others = {hit.chunk_id for route in found.keys() - _PLAIN for hit in found[route]}
    return [*best[:most], *(id for id in best[most:] if id in others)]


def _ids(found: Mapping[str, Sequence[Hit]]) -> set[int]:
    return {hit.chunk_id for hits in found.values() for hit in hits}


def _has_messages(search_filter: SearchFilter) -> bool:
    return "transcripts" in search_filter.sources


async def _weighed(conn: Connection, prepared: PreparedQuery) -> PreparedQuery:
    read = await weighed(conn, prepared.question)
    return replace(prepared, question=read.question, weights=read.weights)


async def _anchored(
    conn: Connection, prepared: PreparedQuery, search_filter: SearchFilter
) -> list[Hit]:
    text, given = prepared.question.text, dict(prepared.anchors)
    if not (given or anchors.may_name(text)):
        return []
    return await routes.anchored(conn, text, given, search_filter, _depth(search_filter).hits)


async def _mentioned(
    conn: Connection, prepared: PreparedQuery, search_filter: SearchFilter
) -> Mentioned:
    named = await entities.named_in(conn, prepared.question.text)
    return await entities.mentioning(conn, named, search_filter, _depth(search_filter).hits)


def _reaching(wanted: int, limit: int) -> int:
    """How many hits of each route so many candidates take, in steps that pages share."""
    while limit < wanted * 2:
        limit *= 2
    return limit * 2


async def _hits(
    conn: Connection, prepared: PreparedQuery, search_filter: SearchFilter, limit: int
) -> dict[str, Sequence[Hit]]:
    lexemes, marks = prepared.question.lexemes, prepared.question.marks
    found: dict[str, Sequence[Hit]] = {
        "lexical": await routes.lexical(conn, lexemes, search_filter, limit),
        "semantic": await routes.semantic(conn, prepared.vector, search_filter, limit),
    }
    if marks:
        found["time"] = await routes.of_times(conn, marks, lexemes, search_filter, limit)
    return found


async def described_candidates(
    conn: Connection, prepared: PreparedQuery, search_filter: SearchFilter
) -> list[Described]:
    """The candidates that are ranked with all their evidence, in no order."""
    prepared = await _weighed(conn, prepared)
    found = await _hits(conn, prepared, search_filter, _depth(search_filter).hits)
    mentioned = await _mentioned(conn, prepared, search_filter)
    found |= {entities.ROUTE: mentioned.hits}
    return (await _described(conn, prepared, search_filter, found, mentioned))[0]


async def _ranked(
    conn: Connection,
    prepared: PreparedQuery,
    search_filter: SearchFilter,
    found: Mapping[str, Sequence[Hit]],
    mentioned: Mentioned,
) -> list[Candidate]:
    """The found messages and those around the best of them, by the learned order."""
    described, evidence = await _described(conn, prepared, search_filter, found, mentioned)
    return ranking.order(described, found, evidence, weights_for(prepared.vector.provider))


async def _described(
    conn: Connection,
    prepared: PreparedQuery,
    search_filter: SearchFilter,
    found: Mapping[str, Sequence[Hit]],
    mentioned: Mentioned,
) -> tuple[list[Described], list[Evidence]]:
    chunk_ids = _to_rank(found, search_filter)
    if not chunk_ids:
        return [], []
    lexemes = [*prepared.question.lexemes, *prepared.question.marks]
    evidence = await routes.evidence(
        conn,
        chunk_ids,
        # Only messages stand beside others.
        chunk_ids[:_SEEDS] if _has_messages(search_filter) else [],
        search_filter=search_filter,
        lexemes=lexemes,
        query=prepared.vector,
    )
    credited = entities.credited(evidence, mentioned, lexemes)
    return features.describe(prepared.question, prepared.weights, credited), credited
