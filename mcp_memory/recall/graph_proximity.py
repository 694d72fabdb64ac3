"""How near a memory is to what a query names, and what its importance and age add; pure.

A memory that mentions a named entity is relevant by that alone, unless the entity is mentioned
everywhere; each relation on the way halves it. Importance and age only order what is relevant:
together they move a memory by less than a tenth.
"""

import math
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from mcp_memory.graph.models import FactType
from mcp_memory.graph.reading.models import FactMatch, FactVersion
from mcp_memory.recall.models import Candidate

HOPS = 2
MAX_EDGES = 10
MAX_REACHED = 200

_MENTIONED = 0.45
_STEP = 0.5
# So often an entity is mentioned that the mention says nothing.
_EVERYWHERE = 1000
_IMPORTANCE = 0.04
_FRESHNESS = 0.03
# After how many days a memory is half as fresh; what somebody is does not age.
_HALF_LIFE_DAYS: dict[FactType, float] = {
    "identity": math.inf,
    "goal": 180.0,
    "routine": 365.0,
    "decision": 365.0,
    "todo": 60.0,
    "preference": 365.0,
    "fact": 365.0,
    "correlation": 180.0,
    "prediction": 90.0,
    "event": 90.0,
    "feedback": 90.0,
    "observation": 30.0,
    "anomaly": 30.0,
}


@dataclass(frozen=True, slots=True)
class Reached:
    """How near a memory is, 0 to 1, and over how many relations at least."""

    proximity: float
    hops: int


@dataclass(frozen=True, slots=True)
class Scored:
    """How likely a memory is relevant, and which routes led to it."""

    score: float
    routes: tuple[str, ...]


def add(reached: MutableMapping[int, Reached], hops: Mapping[int, int], mentions: int) -> None:
    """Note the memories around an entity that is mentioned so often; proximity adds up."""
    rarity = 1 - min(1.0, math.log1p(mentions) / math.log1p(_EVERYWHERE))
    for memory_id, hop in hops.items():
        near = _MENTIONED * rarity * _STEP**hop
        known = reached.get(memory_id)
        reached[memory_id] = (
            Reached(near, hop)
            if known is None
            else Reached(_either(known.proximity, near), min(known.hops, hop))
        )


def combined(
    candidates: Sequence[Candidate],
    of_chunks: Mapping[int, int],
    reached: Mapping[int, Reached],
) -> dict[int, Scored]:
    """Each memory by its best chunk and by how near it is: by the one or by the other."""
    scored: dict[int, Scored] = {
        memory_id: Scored(each.proximity, ("entity",) if each.hops == 0 else ("neighbour",))
        for memory_id, each in reached.items()
    }
    seen: set[int] = set()
    for candidate in sorted(candidates, key=lambda each: -each.score):
        memory_id = of_chunks.get(candidate.chunk_id)
        if memory_id is None or memory_id in seen:
            continue
        seen.add(memory_id)
        near = scored.get(memory_id, Scored(0.0, ()))
        routes = tuple(sorted({*candidate.routes, *near.routes}))
        scored[memory_id] = Scored(_either(candidate.score, near.score), routes)
    return scored


def _either(one: float, other: float) -> float:
    return 1 - (1 - one) * (1 - other)


def ordered(found: Sequence[FactMatch], now: datetime) -> list[FactMatch]:
    """The most relevant first; what is more important or fresher goes before its equals."""
    return sorted(found, key=lambda each: (-_rank(each, now), -each.version.memory_id))


def _rank(found: FactMatch, now: datetime) -> float:
    held = found.version
    return found.score + _IMPORTANCE * held.importance + _FRESHNESS * freshness(held, now)


def freshness(held: FactVersion, now: datetime) -> float:
    """1 for what has just happened or begun to be true, halving as its type ages."""
    since = held.occurred_at or held.valid_from or held.recorded_at
    days = max(0.0, (now - since).total_seconds() / 86_400)
    return 0.5 ** (days / _HALF_LIFE_DAYS[held.memory_type])
