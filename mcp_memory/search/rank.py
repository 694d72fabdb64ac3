"""One order of what the routes return, by one number, and a score to match: pure functions."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol, TypeVar

from mcp_memory.search.kinds import PRIORS, Candidate, Hit, Kind, Weights
from mcp_memory.search.routes import Evidence, MessageKey

if TYPE_CHECKING:  # it computes with numpy, which a hook has no time to load
    from mcp_memory.search.features import MessageFeatures


# How likely a text is relevant for carrying the very anchor that was asked for, whatever its words.
_BY_ANCHOR = 0.5
# Scores are taken to be within so much of 0 and 1, whose logit is infinite.
_LEAST_SCORE = 1e-6
# Cosines of MiniLM between which a text goes from hardly to surely related.
_UNRELATED_COSINE = 0.25
_SAME_COSINE = 0.75


def fuse(by_route: Mapping[str, Sequence[Hit]]) -> list[Candidate]:
    """Every chunk that any route returned, best first; ties go to the newer chunk.

    The order is by the sum of the two signals, each scaled by the query's best hit (plain rank
    fusion loses to that); the score reported is absolute.
    """
    signals = _signals_of(by_route)
    routes = _routes_of(by_route)
    best_lexical = _best(signals, "lexical")
    return [
        Candidate(
            chunk_id,
            tuple(sorted(routes[chunk_id])),
            signals[chunk_id],
            _relevance(signals[chunk_id], best_lexical),
        )
        for chunk_id in _fuse(signals)
    ]


def foremost(by_route: Mapping[str, Sequence[Hit]]) -> list[int]:
    """The ids in the order of `fuse`."""
    return _fuse(_signals_of(by_route))


def stable_order(
    by_route: Mapping[str, Sequence[Hit]], *, floor: float, first: int
) -> list[Candidate]:
    """The candidates that reach the floor, in an order that longer lists of hits only continue.

    The first `first` hits of each route are fused, then twice as many, and so on: so a later page
    moves nothing that an earlier one has shown.
    """
    ranked: dict[int, Candidate] = {}
    longest = max(map(len, by_route.values()), default=0)
    size = first
    while True:
        for candidate in fuse({route: hits[:size] for route, hits in by_route.items()}):
            if candidate.score >= floor:
                ranked.setdefault(candidate.chunk_id, candidate)
        if size >= longest:
            return list(ranked.values())
        size *= 2


def lift_anchors(ranked: Sequence[Candidate], hits: Sequence[Hit]) -> list[Candidate]:
    """What carries an anchor before everything else, in its order, and with a score to match.

    Beside what carries an anchor that was given nothing else is answered. An anchor that a query
    only names may be chance, so the rest follows.
    """
    if not hits:
        return list(ranked)
    first = [
        replace(candidate, score=either(candidate.score, _BY_ANCHOR))
        for candidate in ranked
        if "anchor" in candidate.routes
    ]
    if any("given" in hit.signals for hit in hits):
        return first
    return [*first, *(candidate for candidate in ranked if "anchor" not in candidate.routes)]


def either(one: float, other: float) -> float:
    """How likely one of two independent reasons is true."""
    return 1 - (1 - one) * (1 - other)


class HasScore(Protocol):
    """Whatever has a score."""

    @property
    def score(self) -> float:
        """How likely it is relevant."""
        ...


Match = TypeVar("Match", bound=HasScore)


def relevant(
    matches: Sequence[Match], floor: float, kind: Kind, min_score: float | None = None
) -> list[Match]:
    """What reaches the floor. By default nothing does where even the best one falls short; beside
    a good one the kind's share of the floor is enough."""
    if min_score is not None:
        return [match for match in matches if match.score >= min_score]
    if max((match.score for match in matches), default=0.0) < floor:
        return []
    return [match for match in matches if match.score >= floor * kind.beside]


def with_priors(score: float, priors: Mapping[str, float]) -> float:
    """A score as a number to rank by, in the unit of the weighted sum, with its priors added."""
    bounded = min(max(score, _LEAST_SCORE), 1 - _LEAST_SCORE)
    worth = sum(PRIORS[name] * value for name, value in priors.items())
    return math.log(bounded / (1 - bounded)) + worth


def _signals_of(by_route: Mapping[str, Sequence[Hit]]) -> dict[int, dict[str, float]]:
    signals: dict[int, dict[str, float]] = {}
    for hits in by_route.values():
        for hit in hits:
            signals.setdefault(hit.chunk_id, {}).update(hit.signals)
    return signals


def _fuse(signals: Mapping[int, Mapping[str, float]]) -> list[int]:
    lexical, semantic = _best(signals, "lexical"), _best(signals, "semantic")
    ranks = {
        chunk_id: _share(its, "lexical", lexical) + _share(its, "semantic", semantic)
        for chunk_id, its in signals.items()
    }
    return sorted(ranks, key=lambda chunk_id: (-ranks[chunk_id], -chunk_id))


def order(
    messages: "Sequence[MessageFeatures]",
    by_route: Mapping[str, Sequence[Hit]],
    evidence: Sequence[Evidence],
    weights: Weights,
) -> list[Candidate]:
    """The messages as candidates, best first by the weighted sum of their features.

    Ranked by one number, reported by another: `score` is the probability that the message is
    relevant, by the words and the meaning it shares with the question. Ties go to the newer chunk.
    """
    routes = _routes_of(by_route)
    chunks = _chunks_of(evidence)
    ranks = [(_rank(message, weights), message) for message in messages]
    ranks.sort(key=lambda ranked: (-ranked[0], -ranked[1].chunk_id))
    return [
        Candidate(
            chunk_id=message.chunk_id,
            routes=_routes_to(chunks[message.message], routes),
            signals=message.features,
            score=probability(message.features, weights),
            rank=rank,
            chunk_ids=chunks[message.message],
        )
        for rank, message in ranks
    ]


def by_meaning(evidence: Sequence[Evidence], weights: Weights) -> list[Candidate]:
    """What the semantic route returned, by the mean of the cosines of the window and of the text.

    By the window's own a message is found that says nothing itself, beside one that does; by the
    text's alone an answer of three words is lost.
    """
    means = {
        chunk.chunk_id: (chunk.cosine + chunk.alone) / 2
        for chunk in evidence
        if chunk.cosine is not None and chunk.alone is not None
    }
    slope, constant = weights.cosine_only
    return [
        Candidate(
            chunk_id,
            ("semantic",),
            {"semantic": means[chunk_id]},
            _logistic(slope * means[chunk_id] + constant),
        )
        for chunk_id in sorted(means, key=lambda chunk_id: (-means[chunk_id], -chunk_id))
    ]


def _rank(message: "MessageFeatures", weights: Weights) -> float:
    worth = weights.features
    return sum([worth[name] * value for name, value in message.features.items()])


def probability(signals: Mapping[str, float], weights: Weights) -> float:
    """How likely a text with these signals is relevant; comparable between questions."""
    exponent = (
        weights.coverage * signals.get("coverage", 0.0)
        + weights.cosine * signals.get("cosine", 0.0)
        + weights.constant
    )
    return _logistic(exponent)


def _logistic(exponent: float) -> float:
    return 1 / (1 + math.exp(-exponent))


def _routes_of(by_route: Mapping[str, Sequence[Hit]]) -> dict[int, set[str]]:
    routes: dict[int, set[str]] = {}
    for route, hits in by_route.items():
        for hit in hits:
            routes.setdefault(hit.chunk_id, set()).add(route)
    return routes


def _chunks_of(evidence: Sequence[Evidence]) -> dict[MessageKey, tuple[int, ...]]:
    chunks: dict[MessageKey, tuple[int, ...]] = {}
    for chunk in evidence:
        chunks[chunk.message] = (*chunks.get(chunk.message, ()), chunk.chunk_id)
    return chunks


def _routes_to(chunk_ids: Sequence[int], routes: Mapping[int, set[str]]) -> tuple[str, ...]:
    """The routes to any of the chunks; a message that none of them leads to stood beside one."""
    names = {route for chunk_id in chunk_ids for route in routes.get(chunk_id, ())}
    return tuple(sorted(names)) or ("neighbour",)


def _best(signals: Mapping[int, Mapping[str, float]], name: str) -> float:
    return max((its.get(name, 0.0) for its in signals.values()), default=0.0)


def _share(signals: Mapping[str, float], name: str, best: float) -> float:
    return max(0.0, signals.get(name, 0.0)) / best if best > 0 else 0.0


def _relevance(signals: Mapping[str, float], best_lexical: float) -> float:
    """How sure one can be that the chunk answers: by its words, by its meaning, or by both."""
    density = 0.7 + 0.3 * _share(signals, "lexical", best_lexical)
    by_words = signals.get("coverage", 0.0) * density
    span = _SAME_COSINE - _UNRELATED_COSINE
    by_meaning = (signals.get("semantic", 0.0) - _UNRELATED_COSINE) / span
    return min(1.0, 1 - (1 - min(1.0, by_words)) * (1 - min(1.0, max(0.0, by_meaning))))
