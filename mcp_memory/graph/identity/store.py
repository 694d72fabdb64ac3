"""The SQL of listing entities, of making two of them one, and one two."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection


@dataclass(frozen=True, slots=True)
class ListedEntity:
    """An entity of the caller's with its other names and the number of memories that name it."""

    id: int
    name: str
    type: str
    aliases: list[str]
    memories: int


_LISTED = """
SELECT e.id, e.name, e.type,
       ARRAY(SELECT a.alias FROM entity_aliases a WHERE a.entity_id = e.id ORDER BY a.alias)
       AS aliases,
       count(DISTINCT m.memory_id) AS memories
FROM entities e
JOIN memory_mentions m ON m.entity_id = e.id AND NOT isempty(m.truth)
    AND (m.expires_at IS NULL OR m.expires_at > now())
WHERE e.agent_id = current_agent() AND starts_with(e.normal, %(prefix)s) AND e.id > %(after)s
GROUP BY e.id, e.name, e.type
ORDER BY e.id
LIMIT %(limit)s
"""


async def listed(conn: Connection, prefix: str, after: int, limit: int) -> list[ListedEntity]:
    """The caller's entities that memories speak of, in the order they were first named."""
    parameters = {"prefix": prefix, "after": after, "limit": limit}
    async with conn.cursor(row_factory=class_row(ListedEntity)) as cursor:
        return await (await cursor.execute(_LISTED, parameters)).fetchall()


# A version that calls both by the same name names one of them from now on.
_DROP_DOUBLES = """
DELETE FROM memory_mentions d
USING memory_mentions k
WHERE d.entity_id = %(gone)s AND k.entity_id = %(kept)s
  AND (k.memory_id, k.version, k.normal) = (d.memory_id, d.version, d.normal)
"""

_MOVE_MENTIONS = """
UPDATE memory_mentions
SET entity_id = %(kept)s
WHERE entity_id = %(gone)s AND (%(normals)s::text[] IS NULL OR normal = ANY (%(normals)s))
"""

_MOVE_SUBJECTS = """
UPDATE memory_relations
SET subject_id = %(kept)s
WHERE subject_id = %(gone)s AND (%(names)s::text[] IS NULL OR subject = ANY (%(names)s))
"""

_MOVE_OBJECTS = """
UPDATE memory_relations
SET object_id = %(kept)s
WHERE object_id = %(gone)s AND (%(names)s::text[] IS NULL OR object = ANY (%(names)s))
"""

_MOVE_ALIASES = """
UPDATE entity_aliases
SET entity_id = %(kept)s
WHERE entity_id = %(gone)s AND (%(normals)s::text[] IS NULL OR normal = ANY (%(normals)s))
"""


async def move(
    conn: Connection,
    gone: int,
    kept: int,
    *,
    normals: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Let what is said of one entity be said of the other; None is all of it.

    `normals` are the folded names under which memories speak of it, `names` the same as relations
    have them.
    """
    parameters = {
        "gone": gone,
        "kept": kept,
        "normals": None if normals is None else list(normals),
        "names": None if names is None else list(names),
    }
    await conn.execute(_DROP_DOUBLES, parameters)
    for statement in (_MOVE_MENTIONS, _MOVE_SUBJECTS, _MOVE_OBJECTS, _MOVE_ALIASES):
        await conn.execute(statement, parameters)


async def remove(conn: Connection, number: int) -> None:
    """Remove an entity that nothing is said of any more."""
    await conn.execute("DELETE FROM entities WHERE id = %(id)s", {"id": number})


_REMOVE_ALIAS = """
DELETE FROM entity_aliases
WHERE entity_id = %(id)s AND normal = %(normal)s
"""


async def remove_alias(conn: Connection, number: int, normal: str) -> None:
    """What is the entity's own name is not another name of it."""
    await conn.execute(_REMOVE_ALIAS, {"id": number, "normal": normal})


_USED = """
SELECT name, type
FROM memory_mentions
WHERE entity_id = %(id)s
UNION
SELECT alias, type
FROM entity_aliases
WHERE entity_id = %(id)s
UNION
SELECT subject, ''
FROM memory_relations
WHERE subject_id = %(id)s
UNION
SELECT object, ''
FROM memory_relations
WHERE object_id = %(id)s
ORDER BY 2 DESC, 1
"""


async def names_used(conn: Connection, number: int) -> list[tuple[str, str]]:
    """Every name under which anything speaks of the entity, with the type it gives, if any."""
    rows = await (await conn.execute(_USED, {"id": number})).fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


async def tell(conn: Connection) -> None:
    """Answers that were kept may be others now: memories that others see can name the entity."""
    await conn.execute("SELECT tell_owners(ARRAY['*'])")
