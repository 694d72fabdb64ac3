"""A stable order for all pages: a later page moves nothing that an earlier one showed."""

from collections.abc import Mapping, Sequence

from mcp_memory.recall.models import Candidate, Hit
from mcp_memory.recall.ranking import fuse


def ordered(found: Mapping[str, Sequence[Hit]], *, floor: float, first: int) -> list[Candidate]:
    """The candidates that reach the floor, in an order that longer lists of hits only continue.

    The first `first` hits of each route are fused, then twice as many, and so on.
    """
    ranked: dict[int, Candidate] = {}
    longest = max(map(len, found.values()), default=0)
    size = first
    while True:
        for candidate in fuse({route: hits[:size] for route, hits in found.items()}):
            if candidate.score >= floor:
                ranked.setdefault(candidate.chunk_id, candidate)
        if size >= longest:
            return list(ranked.values())
        size *= 2
