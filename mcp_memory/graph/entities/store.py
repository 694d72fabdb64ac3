"""The SQL of entities and of their other names."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.graph.names import slips_of, words_of


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of the caller's."""

    id: int
    name: str
    type: str
    normal: str


@dataclass(frozen=True, slots=True)
class Match:
    """An entity that a name leads to: `exact` by its own, else by another as a `known_type`."""

    id: int
    name: str
    type: str
    normal: str
    matched: str
    known_type: str
    exact: bool


# Names are made and used under the shared lock; whoever removes or merges entities holds it alone.
_SHARE = """
SELECT pg_advisory_xact_lock_shared(hashtextextended('mcp_memory.entities/' || current_agent(), 0))
"""

_HOLD = """
SELECT pg_advisory_xact_lock(hashtextextended('mcp_memory.entities/' || current_agent(), 0))
"""


async def share(conn: Connection) -> None:
    """No entity of the caller's goes away until the transaction ends."""
    await conn.execute(_SHARE)


async def hold(conn: Connection) -> None:
    """Nobody else speaks of the caller's entities until the transaction ends."""
    await conn.execute(_HOLD)


_MATCHES = """
SELECT e.id, e.name, e.type, e.normal, e.normal AS matched, e.type AS known_type, true AS exact
FROM entities e
WHERE e.agent_id = current_agent() AND e.normal = ANY (%(normals)s)
UNION ALL
SELECT e.id, e.name, e.type, e.normal, a.normal, a.type, false
FROM entity_aliases a
JOIN entities e ON e.id = a.entity_id
WHERE a.agent_id = current_agent() AND a.normal = ANY (%(normals)s)
ORDER BY exact DESC, id
"""


async def matches(conn: Connection, normals: Sequence[str]) -> list[Match]:
    """The caller's entities that go by these folded names, by their own name first."""
    async with conn.cursor(row_factory=class_row(Match)) as cursor:
        return await (await cursor.execute(_MATCHES, {"normals": list(normals)})).fetchall()


_ADD = """
INSERT INTO entities AS e (agent_id, name, type, normal, words)
VALUES (current_agent(), %(name)s, %(type)s, %(normal)s, %(words)s)
ON CONFLICT (agent_id, type, normal) DO UPDATE SET name = e.name
RETURNING e.id, e.xmax = 0
"""


async def add(
    conn: Connection, name: str, type: str, normal: str, words: Sequence[str]
) -> tuple[int, bool]:
    """The entity of that type and name, and whether it is new."""
    parameters = {"name": name, "type": type, "normal": normal, "words": list(words)}
    row = await (await conn.execute(_ADD, parameters)).fetchone()
    assert row is not None
    return int(row[0]), bool(row[1])


_SET_TYPE = """
UPDATE entities e
SET type = %(type)s
WHERE e.id = %(id)s AND NOT EXISTS (
    SELECT
    FROM entities o
    WHERE o.agent_id = e.agent_id AND o.type = %(type)s AND o.normal = e.normal
)
"""


async def set_type(conn: Connection, entity: int, type: str) -> None:
    """Say of what kind the entity is, now that it is known."""
    await conn.execute(_SET_TYPE, {"id": entity, "type": type})


_ADD_ALIAS = """
INSERT INTO entity_aliases (agent_id, type, normal, alias, entity_id, merged)
VALUES (current_agent(), %(type)s, %(normal)s, %(alias)s, %(entity_id)s, %(merged)s)
ON CONFLICT DO NOTHING
"""

_ADD_WORDS = """
UPDATE entities
SET words = ARRAY(SELECT DISTINCT w FROM unnest(words || %(words)s::text[]) w ORDER BY w)
WHERE id = %(id)s AND NOT words @> %(words)s
"""


async def add_alias(
    conn: Connection,
    entity: int,
    *,
    type: str,
    normal: str,
    alias: str,
    words: Sequence[str],
    merged: bool = False,
) -> None:
    """Let another name lead to the entity, unless it leads to one already."""
    parameters = {"type": type, "normal": normal, "alias": alias, "entity_id": entity}
    await conn.execute(_ADD_ALIAS, parameters | {"merged": merged})
    await conn.execute(_ADD_WORDS, {"id": entity, "words": list(words)})


_NEAR = """
SELECT n.id, n.name, n.type, n.normal
FROM near_entities(%(words)s, %(slips)s, 50) n
WHERE n.id <> %(id)s
  AND EXISTS (SELECT FROM memory_mentions m WHERE m.entity_id = n.id AND NOT isempty(m.truth))
ORDER BY n.common DESC, n.id
"""


async def near(conn: Connection, entity: int, name: str) -> list[Entity]:
    """Other entities that share words with the name, but for a slip, and are spoken of."""
    parameters = {"id": entity, "words": words_of(name), "slips": slips_of(name)}
    async with conn.cursor(row_factory=class_row(Entity)) as cursor:
        return await (await cursor.execute(_NEAR, parameters)).fetchall()


_BY_ID = """
SELECT id, name, type, normal
FROM entities
WHERE id = ANY (%(ids)s) AND agent_id = current_agent()
"""


async def by_id(conn: Connection, numbers: Sequence[int]) -> dict[int, Entity]:
    """The caller's entities of these ids."""
    async with conn.cursor(row_factory=class_row(Entity)) as cursor:
        rows = await (await cursor.execute(_BY_ID, {"ids": list(numbers)})).fetchall()
    return {entity.id: entity for entity in rows}


# What a purge leaves behind of names that only the purged memories used.
_REMOVE_ALIASES = """
DELETE FROM entity_aliases a
WHERE a.entity_id = ANY (%(ids)s)
  AND NOT EXISTS (
      SELECT
      FROM memory_mentions m
      WHERE m.entity_id = a.entity_id AND (m.normal = a.normal OR a.normal = ANY (m.known_as))
  )
"""

_REMOVE_UNSPOKEN = """
DELETE FROM entities e
WHERE e.id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT FROM memory_mentions m WHERE m.entity_id = e.id)
"""

_RENAME = """
UPDATE entities e
SET name = kept.name, normal = kept.normal
FROM (
    SELECT DISTINCT ON (m.entity_id) m.entity_id, m.name, m.normal
    FROM memory_mentions m
    WHERE m.entity_id = ANY (%(ids)s)
    ORDER BY m.entity_id, m.memory_id, m.version, m.normal
) kept
WHERE e.id = kept.entity_id
  AND NOT EXISTS (
      SELECT
      FROM memory_mentions m
      WHERE m.entity_id = e.id AND (m.normal = e.normal OR e.normal = ANY (m.known_as))
  )
  AND NOT EXISTS (
      SELECT
      FROM entities o
      WHERE o.agent_id = e.agent_id AND o.type = e.type AND o.normal = kept.normal
  )
"""


async def clear(conn: Connection, numbers: Sequence[int]) -> None:
    """Remove of these entities every name that nobody uses any more, and those nobody names."""
    for statement in (_REMOVE_ALIASES, _REMOVE_UNSPOKEN, _RENAME):
        await conn.execute(statement, {"ids": list(numbers)})
    await refresh_words(conn, numbers)


async def refresh_words(conn: Connection, numbers: Sequence[int]) -> None:
    """Let these entities be near to what their names are near to."""
    for entity, names in (await _all_names(conn, numbers)).items():
        await conn.execute(_SET_WORDS, {"id": entity, "words": words_of(*names)})


_SET_WORDS = """
UPDATE entities
SET words = %(words)s
WHERE id = %(id)s
"""

_ALL_NAMES = """
SELECT e.id, array_remove(array_agg(a.alias ORDER BY a.alias), NULL) || e.name
FROM entities e
LEFT JOIN entity_aliases a ON a.entity_id = e.id
WHERE e.id = ANY (%(ids)s)
GROUP BY e.id
"""


async def _all_names(conn: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    """Every name that each of these entities goes by, its own last."""
    rows = await (await conn.execute(_ALL_NAMES, {"ids": list(numbers)})).fetchall()
    return {int(row[0]): list(row[1]) for row in rows}
