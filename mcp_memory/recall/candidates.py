"""From a question to ranked candidates: bounded routes, evidence, features, one order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mcp_memory.db.cancellation import Connection
from mcp_memory.recall import anchors, entities, features, ranking, routes
from mcp_memory.recall.entities import Mentioned
from mcp_memory.recall.features import Described, Evidence
from mcp_memory.recall.models import Candidate, Hit, Narrowing
from mcp_memory.recall.question import Question
from mcp_memory.recall.spell_correction import weighed
from mcp_memory.recall.stable_order import ordered
from mcp_memory.recall.weights import weights_for
from mcp_memory.spaces.service import QueryVector


@dataclass(frozen=True, slots=True)
class Depth:
    """How many hits of each route are looked at first, and how many of what they found, the best
    by words and meaning, are ranked with all their evidence; None ranks all."""

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
class Asked:
    """A question with its vector, if it has one, and the anchors that were given with it.

    `weights` are of its lexemes, once the database was asked.
    """

    question: Question
    vector: QueryVector
    anchors: tuple[tuple[str, str], ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict[str, float])


async def best_candidates(
    conn: Connection, asked: Asked, narrowing: Narrowing, *, wanted: int
) -> list[Candidate]:
    """At least `wanted` candidates, best first, if there are so many; each is one message.

    The first are ranked with all their evidence, whatever is wanted; what lies deeper follows in
    the plain order of the routes. So a later page moves nothing that an earlier one has shown.
    """
    depth = _depth(narrowing)
    asked = await _weighed(conn, asked)
    found = await _hits(conn, asked, narrowing, depth.hits)
    marked = await _anchored(conn, asked, narrowing)
    mentioned = await _mentioned(conn, asked, narrowing)
    more = {anchors.ROUTE: marked, entities.ROUTE: mentioned.hits}
    ranked = await _ranked(conn, asked, narrowing, found | more, mentioned)
    first = anchors.lifted(ranked, marked)
    if anchors.are_given(marked) or _is_all(found, narrowing) or len(first) >= wanted:
        return first
    deeper = await _hits(conn, asked, narrowing, _reaching(wanted, depth.hits))
    known = {chunk_id for candidate in first for chunk_id in candidate.chunk_ids}
    rest = ordered(deeper, floor=0.0, first=depth.hits)
    return [*first, *(each for each in rest if each.chunk_id not in known)]


def _depth(narrowing: Narrowing) -> Depth:
    return _OF_MESSAGES if _has_messages(narrowing) else OF_PASSAGES


def _is_all(found: Mapping[str, Sequence[Hit]], narrowing: Narrowing) -> bool:
    """Whether no route has more to give, and all that was found is ranked by its evidence."""
    is_deep = any(len(hits) >= _depth(narrowing).hits for hits in found.values())
    return not is_deep and len(_ids(found)) == len(_to_rank(found, narrowing))


def _to_rank(found: Mapping[str, Sequence[Hit]], narrowing: Narrowing) -> list[int]:
    """What is ranked by its evidence, the best by words and meaning first, and of the rest what is
    found by what it names or when it was."""
    best = ranking.foremost(found, len(_ids(found)))
    most = _depth(narrowing).ranked or len(best)
    others = {hit.chunk_id for route in found.keys() - _PLAIN for hit in found[route]}
    return [*best[:most], *(id for id in best[most:] if id in others)]


def _ids(found: Mapping[str, Sequence[Hit]]) -> set[int]:
    return {hit.chunk_id for hits in found.values() for hit in hits}


def _has_messages(narrowing: Narrowing) -> bool:
    return "transcripts" in narrowing.sources


async def _weighed(conn: Connection, asked: Asked) -> Asked:
    read = await weighed(conn, asked.question)
    return replace(asked, question=read.question, weights=read.weights)


async def _anchored(conn: Connection, asked: Asked, narrowing: Narrowing) -> list[Hit]:
    text, given = asked.question.text, dict(asked.anchors)
    if not (given or anchors.may_name(text)):
        return []
    return await routes.anchored(conn, text, given, narrowing, _depth(narrowing).hits)


async def _mentioned(conn: Connection, asked: Asked, narrowing: Narrowing) -> Mentioned:
    named = await entities.named_in(conn, asked.question.text)
    return await entities.mentioning(conn, named, narrowing, _depth(narrowing).hits)


def _reaching(wanted: int, limit: int) -> int:
    """How many hits of each route so many candidates take, in steps that pages share."""
    while limit < wanted * 2:
        limit *= 2
    return limit * 2


async def _hits(
    conn: Connection, asked: Asked, narrowing: Narrowing, limit: int
) -> dict[str, Sequence[Hit]]:
    lexemes, marks = asked.question.lexemes, asked.question.marks
    found: dict[str, Sequence[Hit]] = {
        "lexical": await routes.lexical(conn, lexemes, narrowing, limit),
        "semantic": await routes.semantic(conn, asked.vector, narrowing, limit),
    }
    if marks:
        found["time"] = await routes.of_times(conn, marks, lexemes, narrowing, limit)
    return found


async def described_candidates(
    conn: Connection, asked: Asked, narrowing: Narrowing
) -> list[Described]:
    """The candidates that are ranked with all their evidence, in no order."""
    asked = await _weighed(conn, asked)
    found = await _hits(conn, asked, narrowing, _depth(narrowing).hits)
    mentioned = await _mentioned(conn, asked, narrowing)
    found |= {entities.ROUTE: mentioned.hits}
    return (await _described(conn, asked, narrowing, found, mentioned))[0]


async def _ranked(
    conn: Connection,
    asked: Asked,
    narrowing: Narrowing,
    found: Mapping[str, Sequence[Hit]],
    mentioned: Mentioned,
) -> list[Candidate]:
    """The found messages and those around the best of them, by the learned order."""
    described, evidence = await _described(conn, asked, narrowing, found, mentioned)
    return ranking.order(described, found, evidence, weights_for(asked.vector.provider))


async def _described(
    conn: Connection,
    asked: Asked,
    narrowing: Narrowing,
    found: Mapping[str, Sequence[Hit]],
    mentioned: Mentioned,
) -> tuple[list[Described], list[Evidence]]:
    chunk_ids = _to_rank(found, narrowing)
    if not chunk_ids:
        return [], []
    lexemes = [*asked.question.lexemes, *asked.question.marks]
    evidence = await routes.evidence(
        conn,
        chunk_ids,
        # Only messages stand beside others.
        chunk_ids[:_SEEDS] if _has_messages(narrowing) else [],
        narrowing=narrowing,
        lexemes=lexemes,
        query=asked.vector,
    )
    credited = entities.credited(evidence, mentioned, lexemes)
    return features.describe(asked.question, asked.weights, credited), credited
