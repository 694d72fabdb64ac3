"""Fusing what the routes found into one order: pure functions, no database."""

import math
from collections.abc import Mapping, Sequence

from mcp_memory.recall.features import Described, Evidence, MessageKey
from mcp_memory.recall.models import Candidate, Hit
from mcp_memory.recall.weights import Weights

# Cosines of MiniLM between which a text goes from hardly to surely related.
_UNRELATED_COSINE = 0.25
_SAME_COSINE = 0.75


def fuse(found: Mapping[str, Sequence[Hit]]) -> list[Candidate]:
    """Every chunk that any route found, best first; ties go to the newer chunk.

    The order is by the sum of the two signals, each scaled by the query's best hit (plain rank
    fusion loses to that); the score reported is absolute.
    """
    signals = _signals_of(found)
    routes = _routes_of(found)
    best_lexical = _best(signals, "lexical")
    return [
        Candidate(
            chunk_id,
            tuple(sorted(routes[chunk_id])),
            signals[chunk_id],
            _relevance(signals[chunk_id], best_lexical),
        )
        for chunk_id in _fused(signals)
    ]


def foremost(found: Mapping[str, Sequence[Hit]], most: int) -> list[int]:
    """The ids that `fuse` puts first."""
    return _fused(_signals_of(found))[:most]


def _signals_of(found: Mapping[str, Sequence[Hit]]) -> dict[int, dict[str, float]]:
    signals: dict[int, dict[str, float]] = {}
    for hits in found.values():
        for hit in hits:
            signals.setdefault(hit.chunk_id, {}).update(hit.signals)
    return signals


def _fused(signals: Mapping[int, Mapping[str, float]]) -> list[int]:
    lexical, semantic = _best(signals, "lexical"), _best(signals, "semantic")
    ranks = {
        chunk_id: _share(each, "lexical", lexical) + _share(each, "semantic", semantic)
        for chunk_id, each in signals.items()
    }
    return sorted(ranks, key=lambda chunk_id: (-ranks[chunk_id], -chunk_id))


def order(
    described: Sequence[Described],
    found: Mapping[str, Sequence[Hit]],
    evidence: Sequence[Evidence],
    weights: Weights,
) -> list[Candidate]:
    """The messages as candidates, best first by the weighted sum of their features.

    Ranked by one number, reported by another: `score` is the probability that the message is
    relevant, by the words and the meaning it shares with the question. Ties go to the newer chunk.
    """
    routes = _routes_of(found)
    chunks = _chunks_of(evidence)
    ranks = [(_rank(each, weights), each) for each in described]
    ranks.sort(key=lambda ranked: (-ranked[0], -ranked[1].chunk_id))
    return [
        Candidate(
            chunk_id=each.chunk_id,
            routes=_routes_to(chunks[each.message], routes),
            signals=each.features,
            score=probability(each.features, weights),
            rank=rank,
            chunk_ids=chunks[each.message],
        )
        for rank, each in ranks
    ]


def by_meaning(evidence: Sequence[Evidence], weights: Weights) -> list[Candidate]:
    """What the semantic route found, by the mean of the cosines of the window and the text alone.

    By the window's own a message is found that says nothing itself, beside one that does; by the
    text's alone an answer of three words is lost.
    """
    means = {
        each.chunk_id: (each.cosine + each.alone) / 2
        for each in evidence
        if each.cosine is not None and each.alone is not None
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


def _rank(described: Described, weights: Weights) -> float:
    features = weights.features
    return sum([features[name] * value for name, value in described.features.items()])


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


def _routes_of(found: Mapping[str, Sequence[Hit]]) -> dict[int, set[str]]:
    routes: dict[int, set[str]] = {}
    for route, hits in found.items():
        for hit in hits:
            routes.setdefault(hit.chunk_id, set()).add(route)
    return routes


def _chunks_of(evidence: Sequence[Evidence]) -> dict[MessageKey, tuple[int, ...]]:
    chunks: dict[MessageKey, tuple[int, ...]] = {}
    for each in evidence:
        chunks[each.message] = (*chunks.get(each.message, ()), each.chunk_id)
    return chunks


def _routes_to(chunk_ids: Sequence[int], routes: Mapping[int, set[str]]) -> tuple[str, ...]:
    """The routes that found any of the chunks; a message none of them found stood beside one."""
    reached = {route for chunk_id in chunk_ids for route in routes.get(chunk_id, ())}
    return tuple(sorted(reached)) or ("neighbour",)


def _best(signals: Mapping[int, Mapping[str, float]], name: str) -> float:
    return max((each.get(name, 0.0) for each in signals.values()), default=0.0)


def _share(signals: Mapping[str, float], name: str, best: float) -> float:
    return max(0.0, signals.get(name, 0.0)) / best if best > 0 else 0.0


def _relevance(signals: Mapping[str, float], best_lexical: float) -> float:
    """How sure one can be that the chunk answers: by its words, by its meaning, or by both."""
    density = 0.7 + 0.3 * _share(signals, "lexical", best_lexical)
    by_words = signals.get("coverage", 0.0) * density
    span = _SAME_COSINE - _UNRELATED_COSINE
    by_meaning = (signals.get("semantic", 0.0) - _UNRELATED_COSINE) / span
    return min(1.0, 1 - (1 - min(1.0, by_words)) * (1 - min(1.0, max(0.0, by_meaning))))
