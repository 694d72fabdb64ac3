"""The shortest way from one entity to another: a search from both ends until they meet."""

from collections.abc import Collection, Mapping

from mcp_memory.db.cancellation import Connection
from mcp_memory.graph.reading.models import Step
from mcp_memory.graph.walking import store
from mcp_memory.graph.walking.store import RelationRow, Way

# As far as a path is looked for when nobody says.
LONGEST = 6


async def shortest(
    conn: Connection, start: Collection[int], end: Collection[int], longest: int, way: Way
) -> list[Step] | None:
    """The relations from start to end, as they are stated; None when no way is that short."""
    near, far = await store.reached(conn, start, 0, way), await store.reached(conn, end, 0, way)
    if (meeting := _meeting(near, far)) is not None:
        return []
    for length in range(1, longest + 1):
        if length % 2:
            near = await store.reached(conn, start, (length + 1) // 2, way)
        else:
            far = await store.reached(conn, end, length // 2, way)
        meeting = _meeting(near, far)
        if meeting is not None:
            back = await _back(conn, meeting, near, way)
            return [*reversed(back), *await _back(conn, meeting, far, way)]
    return None


def _meeting(near: Mapping[int, int], far: Mapping[int, int]) -> int | None:
    """The entity that both sides reached, with the shortest way over it."""
    both = near.keys() & far.keys()
    return min(both, key=lambda each: (near[each] + far[each], each)) if both else None


async def _back(conn: Connection, entity: int, hops: Mapping[int, int], way: Way) -> list[Step]:
    """From an entity that was reached back to where the walk began, one relation a step."""
    steps: list[Step] = []
    for hop in range(hops[entity], 0, -1):
        same = await store.reached(conn, [entity], 0, way)
        before = [each for each, distance in hops.items() if distance == hop - 1]
        relation = (await store.between(conn, before, same.keys(), way))[0]
        steps.append(as_step(relation))
        entity = relation.object_id if relation.subject_id in same else relation.subject_id
    return steps


def as_step(relation: RelationRow) -> Step:
    """The relation as a step of a walk, in the direction that it is stated in."""
    return Step(relation.subject, relation.relation, relation.object, relation.memory_id)
