"""Fusing what the routes found into one order: pure functions, no database."""

from collections.abc import Mapping, Sequence

from mcp_memory.recall.models import Candidate, Hit


def fuse(found: Mapping[str, Sequence[Hit]]) -> list[Candidate]:
    """Every chunk that any route found, best first; ties go to the newer chunk."""
    signals: dict[int, dict[str, float]] = {}
    routes: dict[int, list[str]] = {}
    for route, hits in found.items():
        for hit in hits:
            signals.setdefault(hit.chunk_id, {}).update(hit.signals)
            routes.setdefault(hit.chunk_id, []).append(route)
    best = max((each.get("lexical", 0.0) for each in signals.values()), default=0.0)
    candidates = [
        Candidate(chunk_id, tuple(sorted(routes[chunk_id])), each, _score(each, best))
        for chunk_id, each in signals.items()
    ]
    return sorted(candidates, key=lambda candidate: (-candidate.score, -candidate.chunk_id))


def _score(signals: Mapping[str, float], best_lexical: float) -> float:
    """How much of what was asked the chunk holds, weighed by how densely it holds it."""
    if best_lexical <= 0:
        return 0.0
    density = signals.get("lexical", 0.0) / best_lexical
    return min(1.0, signals.get("coverage", 0.0) * (0.7 + 0.3 * density))
