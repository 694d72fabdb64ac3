"""Fusing what the routes found into one order: pure functions, no database."""

from collections.abc import Mapping, Sequence

from mcp_memory.recall.models import Candidate, Hit

# Cosines of MiniLM between which a text goes from hardly to surely related.
_UNRELATED_COSINE = 0.25
_SAME_COSINE = 0.75


def fuse(found: Mapping[str, Sequence[Hit]]) -> list[Candidate]:
    """Every chunk that any route found, best first; ties go to the newer chunk.

    The order is by the sum of the two signals, each scaled by the query's best hit (plain rank
    fusion loses to that); the score reported is absolute.
    """
    signals: dict[int, dict[str, float]] = {}
    routes: dict[int, list[str]] = {}
    for route, hits in found.items():
        for hit in hits:
            signals.setdefault(hit.chunk_id, {}).update(hit.signals)
            routes.setdefault(hit.chunk_id, []).append(route)
    best_lexical = _best(signals, "lexical")
    best_semantic = _best(signals, "semantic")
    ranks = {
        chunk_id: _share(each, "lexical", best_lexical) + _share(each, "semantic", best_semantic)
        for chunk_id, each in signals.items()
    }
    return [
        Candidate(
            chunk_id,
            tuple(sorted(routes[chunk_id])),
            signals[chunk_id],
            _relevance(signals[chunk_id], best_lexical),
        )
        for chunk_id in sorted(signals, key=lambda chunk_id: (-ranks[chunk_id], -chunk_id))
    ]


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
