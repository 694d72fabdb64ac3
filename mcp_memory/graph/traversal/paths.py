"""The shortest path from one entity to another: a search from both ends until they meet."""

from collections.abc import Collection, Mapping

from mcp_memory.db.connection import Connection
from mcp_memory.graph.reading.models import Step
from mcp_memory.graph.traversal import store
from mcp_memory.graph.traversal.store import RelationRow, TraversalOptions

# As far as a path is looked for when nobody says.
DEFAULT_MAX_HOPS = 6


async def shortest(
    conn: Connection,
    start: Collection[int],
    end: Collection[int],
    longest: int,
    options: TraversalOptions,
) -> list[Step] | None:
    """The relations from start to end, as they are stated; None when no path is that short."""
    near = await store.reached(conn, start, 0, options)
    far = await store.reached(conn, end, 0, options)
    if (meeting := _meeting(near, far)) is not None:
        return []
    for length in range(1, longest + 1):
        if length % 2:
            near = await store.reached(conn, start, (length + 1) // 2, options)
        else:
            far = await store.reached(conn, end, length // 2, options)
        meeting = _meeting(near, far)
        if meeting is not None:
            back = await _back(conn, meeting, near, options)
            return [*reversed(back), *await _back(conn, meeting, far, options)]
    return None


def _meeting(near: Mapping[int, int], far: Mapping[int, int]) -> int | None:
    """The entity that both sides reached, with the shortest path over it."""
    both = near.keys() & far.keys()
    return min(both, key=lambda each: (near[each] + far[each], each)) if both else None


async def _back(
    conn: Connection, entity: int, hops: Mapping[int, int], options: TraversalOptions
) -> list[Step]:
    """From an entity that was reached back to where the traversal began, one relation a step."""
    steps: list[Step] = []
    for hop in range(hops[entity], 0, -1):
        same = await store.reached(conn, [entity], 0, options)
        before = [each for each, distance in hops.items() if distance == hop - 1]
        relation = (await store.between(conn, before, same.keys(), options))[0]
        steps.append(as_step(relation))
        entity = relation.object_id if relation.subject_id in same else relation.subject_id
    return steps


def as_step(relation: RelationRow) -> Step:
    """The relation as a step of a path, in the direction that it is stated in."""
    return Step(relation.subject, relation.relation, relation.object, relation.memory_id)
