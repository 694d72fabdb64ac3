"""The SQL that follows relations and links; row-level security decides which ones there are.

Each node's edges are bounded, so that a hub does not become the whole graph. An entity of one
agent and one of the same name and type in what another shares are one and the same on the way.
"""

from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import LiteralString

from psycopg.rows import class_row

from mcp_memory.memory.facts.model import typos_of, words_of
from mcp_memory.memory.facts.query import Instants
from mcp_memory.postgres.connection import Connection

_RESOLVED = """
SELECT e.id FROM entities e WHERE e.agent_id = current_agent() AND e.normal = %(normal)s
UNION
SELECT a.entity_id
FROM entity_aliases a
WHERE a.agent_id = current_agent() AND a.normal = %(normal)s
UNION
SELECT n.entity_id FROM memory_mentions n WHERE n.shared AND n.normal = %(normal)s
UNION
SELECT n.entity_id
FROM memory_mentions n
WHERE n.shared AND n.agent_id <> current_agent() AND %(normal)s = ANY (n.known_as)
"""


async def find_entities(conn: Connection, normal: str) -> list[int]:
    """Every entity that the caller may know by this name, folded."""
    return [
        int(row[0]) for row in await (await conn.execute(_RESOLVED, {"normal": normal})).fetchall()
    ]


_NUMBERED = """
SELECT e.normal FROM entities e WHERE e.id = %(id)s
UNION
SELECT n.normal FROM memory_mentions n WHERE n.entity_id = %(id)s AND n.shared
"""


async def get_normals(conn: Connection, number: int) -> list[str]:
    """The folded names of an entity, its own or those that others use in what they share."""
    return [str(row[0]) for row in await (await conn.execute(_NUMBERED, {"id": number})).fetchall()]


_NEAR_NAMES = """
SELECT n.name
FROM near_entities(%(words)s, %(slips)s, 3) n
ORDER BY n.common DESC, n.name
LIMIT 3
"""


async def find_near_names(conn: Connection, name: str) -> list[str]:
    """Names of the caller's own entities that share a word with this one, but for a slip."""
    parameters = {"words": words_of(name), "slips": typos_of(name)}
    rows = await (await conn.execute(_NEAR_NAMES, parameters)).fetchall()
    return [str(row[0]) for row in rows]


_OTHERS_SHARE = """
SELECT EXISTS (SELECT FROM memory_mentions n WHERE n.shared AND n.agent_id <> current_agent())
"""


async def others_share(conn: Connection) -> bool:
    """Whether any other agent shares a fact that names an entity."""
    row = await (await conn.execute(_OTHERS_SHARE)).fetchone()
    return row is not None and bool(row[0])


@dataclass(frozen=True, slots=True)
class TraversalOptions:
    """How to traverse: as of when, over which relations, and whether others' entities count.

    Of each node the newest `most_edges` are followed; what is found ends with the
    `most_facts` nearest.
    """

    instants: Instants
    with_others: bool
    relation_types: list[str] | None = None
    most_edges: int = 20_000
    most_facts: int = 20_000

    def parameters(self) -> dict[str, object]:
        """The values of every statement here that traverses."""
        return {
            "relation_types": self.relation_types,
            "with_others": self.with_others,
            "most": self.most_edges,
            "most_facts": self.most_facts,
            **asdict(self.instants),
        }


# The relations and mentions that hold as of the asked instants: the beginning of every traversal.
_EDGES_AS_OF: LiteralString = """
WITH RECURSIVE relations AS NOT MATERIALIZED (
    SELECT e.id, e.memory_id, e.subject_id, e.object_id, e.subject, e.relation, e.object
    FROM memory_relations e
    WHERE (e.expires_at IS NULL OR e.expires_at > now())
      AND (%(relation_types)s::text[] IS NULL OR e.relation = ANY (%(relation_types)s))
      AND CASE WHEN %(always)s THEN NOT isempty(e.truth)
               WHEN %(known_at)s::timestamptz IS NULL
               THEN e.truth @> coalesce(%(as_of)s::timestamptz, now())
               ELSE tstzrange(e.valid_from, e.valid_until)
                        @> coalesce(%(as_of)s::timestamptz, now())
                    AND was_known(e.memory_id, e.version,
                                  coalesce(%(as_of)s::timestamptz, now()), %(known_at)s) END
), mentions AS NOT MATERIALIZED (
    SELECT e.memory_id, e.entity_id
    FROM memory_mentions e
    WHERE (e.expires_at IS NULL OR e.expires_at > now())
      AND CASE WHEN %(always)s THEN NOT isempty(e.truth)
               WHEN %(known_at)s::timestamptz IS NULL
               THEN e.truth @> coalesce(%(as_of)s::timestamptz, now())
               ELSE was_known(e.memory_id, e.version,
                              coalesce(%(as_of)s::timestamptz, now()), %(known_at)s) END
)
"""
_REACHED: LiteralString = """
, reached (entity_id, hop) AS (
    SELECT unnest(%(seeds)s::bigint[]), 0
    UNION
    SELECT next.entity_id, r.hop + next.step
    FROM reached r
    CROSS JOIN LATERAL (
        (SELECT e.object_id AS entity_id, 1 AS step
         FROM relations e
         WHERE e.subject_id = r.entity_id AND r.hop < %(hops)s
         ORDER BY e.id DESC
         LIMIT %(most)s)
        UNION ALL
        (SELECT e.subject_id, 1
         FROM relations e
         WHERE e.object_id = r.entity_id AND r.hop < %(hops)s
         ORDER BY e.id DESC
         LIMIT %(most)s)
        UNION ALL
        (SELECT n.entity_id, 0
         FROM entities own
         JOIN memory_mentions n ON n.normal = own.normal AND n.type = own.type AND n.shared
         WHERE %(with_others)s AND own.id = r.entity_id)
        UNION ALL
        (SELECT own.id, 0
         FROM memory_mentions n
         JOIN entities own ON own.agent_id = current_agent() AND own.normal = n.normal
                          AND own.type = n.type
         WHERE %(with_others)s AND n.entity_id = r.entity_id AND n.shared
           AND n.agent_id <> current_agent())
    ) next
), nearest AS (
    SELECT entity_id, min(hop) AS hop FROM reached GROUP BY entity_id
)
"""
_THEIR_MEMORIES: LiteralString = """
SELECT e.memory_id, min(n.hop) AS hop
FROM nearest n
CROSS JOIN LATERAL (
    SELECT e.memory_id
    FROM mentions e
    WHERE e.entity_id = n.entity_id
    ORDER BY e.memory_id DESC
    LIMIT %(most)s
) e
GROUP BY e.memory_id
ORDER BY hop, e.memory_id DESC
LIMIT %(most_facts)s
"""
_MENTIONING: LiteralString = _EDGES_AS_OF + _REACHED + _THEIR_MEMORIES


async def find_mentioning(
    conn: Connection, entities: Collection[int], hops: int, options: TraversalOptions
) -> dict[int, int]:
    """Facts that name an entity at most so many relations away, with how many it is."""
    return await _traverse(conn, _MENTIONING, entities, hops, options)


_THEIR_RELATIONS: LiteralString = """
SELECT e.memory_id, min(n.hop) + 1 AS hop
FROM nearest n
CROSS JOIN LATERAL (
    (SELECT e.memory_id
     FROM relations e
     WHERE e.subject_id = n.entity_id
     ORDER BY e.id DESC
     LIMIT %(most)s)
    UNION ALL
    (SELECT e.memory_id
     FROM relations e
     WHERE e.object_id = n.entity_id
     ORDER BY e.id DESC
     LIMIT %(most)s)
) e
GROUP BY e.memory_id
ORDER BY hop, e.memory_id DESC
LIMIT %(most_facts)s
"""
_RELATING: LiteralString = _EDGES_AS_OF + _REACHED + _THEIR_RELATIONS


async def find_relating(
    conn: Connection, entities: Collection[int], depth: int, options: TraversalOptions
) -> dict[int, int]:
    """Facts that state a relation at most so many steps away, with how many it is."""
    return await _traverse(conn, _RELATING, entities, depth - 1, options)


async def _traverse(
    conn: Connection,
    statement: LiteralString,
    seeds: Collection[int],
    hops: int,
    options: TraversalOptions,
) -> dict[int, int]:
    if not seeds:
        return {}
    parameters = {"seeds": [*seeds], "hops": hops} | options.parameters()
    rows = await (await conn.execute(statement, parameters, prepare=False)).fetchall()
    return {int(row[0]): int(row[1]) for row in rows}


_LINKED: LiteralString = """
WITH RECURSIVE links AS NOT MATERIALIZED (
    SELECT e.id, e.memory_id, e.target_id
    FROM memory_links e
    WHERE (e.expires_at IS NULL OR e.expires_at > now())
      AND (%(relation_types)s::text[] IS NULL OR e.relation_type = ANY (%(relation_types)s))
      AND CASE WHEN %(always)s THEN NOT isempty(e.truth)
               WHEN %(known_at)s::timestamptz IS NULL
               THEN e.truth @> coalesce(%(as_of)s::timestamptz, now())
               ELSE was_known(e.memory_id, e.version,
                              coalesce(%(as_of)s::timestamptz, now()), %(known_at)s) END
), reached (memory_id, hop) AS (
    SELECT unnest(%(seeds)s::bigint[]), 0
    UNION
    SELECT next.memory_id, r.hop + 1
    FROM reached r
    CROSS JOIN LATERAL (
        (SELECT e.target_id AS memory_id
         FROM links e
         WHERE e.memory_id = r.memory_id
         ORDER BY e.id DESC
         LIMIT %(most)s)
        UNION ALL
        (SELECT e.memory_id
         FROM links e
         WHERE e.target_id = r.memory_id
         ORDER BY e.id DESC
         LIMIT %(most)s)
    ) next
    JOIN memories m ON m.id = next.memory_id AND m.forgotten_at IS NULL
    WHERE r.hop < %(hops)s
)
SELECT memory_id, min(hop) AS hop
FROM reached
GROUP BY memory_id
HAVING min(hop) > 0
ORDER BY hop, memory_id DESC
LIMIT %(most_facts)s
"""


async def find_linked(
    conn: Connection, facts: Collection[int], depth: int, options: TraversalOptions
) -> dict[int, int]:
    """Facts at most so many links away, in either direction, with how many it is."""
    return await _traverse(conn, _LINKED, facts, depth, options)


@dataclass(frozen=True, slots=True)
class RelationRow:
    """A relation as a fact states it."""

    subject_id: int
    object_id: int
    subject: str
    relation: str
    object: str
    memory_id: int


_OF_ENTITIES: LiteralString = """
SELECT e.subject_id, e.object_id, e.subject, e.relation, e.object, e.memory_id
FROM relations e
WHERE e.subject_id = ANY (%(ids)s) OR e.object_id = ANY (%(ids)s)
ORDER BY e.id DESC
LIMIT %(limit)s
"""
_RELATIONS_OF: LiteralString = _EDGES_AS_OF + _OF_ENTITIES


async def get_relations(
    conn: Connection, entities: Collection[int], limit: int, options: TraversalOptions
) -> list[RelationRow]:
    """The newest relations in which one of these entities stands."""
    parameters = {"ids": [*entities], "limit": limit} | options.parameters()
    async with conn.cursor(row_factory=class_row(RelationRow)) as cursor:
        return await (await cursor.execute(_RELATIONS_OF, parameters, prepare=False)).fetchall()


_WITH_HOPS: LiteralString = """
SELECT entity_id, hop FROM nearest ORDER BY hop, entity_id
"""
_REACHED_WITH_HOPS: LiteralString = _EDGES_AS_OF + _REACHED + _WITH_HOPS


async def reach(
    conn: Connection, entities: Collection[int], hops: int, options: TraversalOptions
) -> dict[int, int]:
    """Entities at most so many relations away, with how many it is; the nearest first."""
    return await _traverse(conn, _REACHED_WITH_HOPS, entities, hops, options)


_PAIRS: LiteralString = """
SELECT DISTINCT ON (e.subject_id, e.object_id)
       e.subject_id, e.object_id, e.subject, e.relation, e.object, e.memory_id
FROM relations e
WHERE e.subject_id = ANY (%(near)s) AND e.object_id = ANY (%(far)s)
   OR e.subject_id = ANY (%(far)s) AND e.object_id = ANY (%(near)s)
ORDER BY e.subject_id, e.object_id, e.id DESC
"""
_BETWEEN: LiteralString = _EDGES_AS_OF + _PAIRS


async def find_between(
    conn: Connection, near: Collection[int], far: Collection[int], options: TraversalOptions
) -> list[RelationRow]:
    """Of each pair of these two groups that a relation joins, the newest one."""
    parameters = {"near": [*near], "far": [*far]} | options.parameters()
    async with conn.cursor(row_factory=class_row(RelationRow)) as cursor:
        return await (await cursor.execute(_BETWEEN, parameters, prepare=False)).fetchall()
