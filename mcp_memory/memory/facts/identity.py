"""Entities as a person manages them: listed, two made one, one made two."""

from collections.abc import Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from mcp_memory.errors import EntityNotFound, FactConflict, InvalidInput
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.memory.facts import entities
from mcp_memory.memory.facts.entities import Entity
from mcp_memory.memory.facts.model import UNKNOWN_TYPE, entity_id, entity_number, words_of
from mcp_memory.memory.facts.traversal import find_near_names
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.text.terms import normalize


@dataclass(frozen=True, slots=True)
class EntitySummary:
    """An entity of the caller's with its other names and the number of facts that name it."""

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


async def list_entities(
    conn: Connection, prefix: str, after: int, limit: int
) -> list[EntitySummary]:
    """The caller's entities that facts speak of, in the order they were first named."""
    parameters = {"prefix": prefix, "after": after, "limit": limit}
    async with conn.cursor(row_factory=class_row(EntitySummary)) as cursor:
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


async def move_mentions(
    conn: Connection,
    gone: int,
    kept: int,
    *,
    normals: Sequence[str] | None = None,
    names: Sequence[str] | None = None,
) -> None:
    """Let what is said of one entity be said of the other; None is all of it.

    `normals` are the folded names under which facts speak of it, `names` the same as relations
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


async def remove_entity(conn: Connection, number: int) -> None:
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


async def get_used_names(conn: Connection, number: int) -> list[tuple[str, str]]:
    """Every name under which anything speaks of the entity, with the type it gives, if any."""
    rows = await (await conn.execute(_USED, {"id": number})).fetchall()
    return [(str(row[0]), str(row[1])) for row in rows]


async def expire_answers(conn: Connection) -> None:
    """Answers that were kept may be others now: facts that others see can name the entity."""
    await conn.execute("SELECT tell_owners(ARRAY['*'])")


_SHOWN = 10
_WHERE_LISTED = "`mcp-memory graph entities` lists all."


class Entities:
    """Says which of an agent's entities are one. Names are not lost: what was joined can part."""

    async def list(
        self, session: Session, *, prefix: str = "", after: int = 0, limit: int = 100
    ) -> list[EntitySummary]:
        """The agent's entities whose name begins so, after the one of that number."""
        folded = normalize(prefix) if prefix.strip() else ""
        async with session.reading() as conn:
            return await list_entities(conn, folded, after, limit)

    async def merge(self, session: Session, gone: str, kept: str) -> str:
        """Let `gone` (a name or an id) be another name of `kept`; the id of what is left."""
        async with session.writing(create=False) as conn:
            await entities.lock_alone(conn)
            gone_entity, kept_entity = await _get_entity(conn, gone), await _get_entity(conn, kept)
            if gone_entity.id == kept_entity.id:
                raise InvalidInput("entity", f"{gone!r} and {kept!r} are one already")
            await _merge(conn, gone_entity, kept_entity)
            await audit.record(
                conn, Event(session.agent, "merge", "entity", entity_id(kept_entity.id))
            )
        return entity_id(kept_entity.id)

    async def split(self, session: Session, entity: str, names: Sequence[str]) -> str:
        """Let what goes by these names of the entity be one of its own; the new entity's id."""
        if not names:
            raise InvalidInput("names", "is empty; name what is to be an entity of its own")
        async with session.writing(create=False) as conn:
            await entities.lock_alone(conn)
            number = await _split(conn, await _get_entity(conn, entity), names)
            await audit.record(conn, Event(session.agent, "split", "entity", entity_id(number)))
        return entity_id(number)


async def _get_entity(conn: Connection, reference: str) -> Entity:
    """The caller's entity of that id, or the only one that goes by that name."""
    number = entity_number(reference)
    if number is not None and (entity := (await entities.get_entities(conn, [number])).get(number)):
        return entity
    matches = await entities.find_matches(conn, [normalize(reference)])
    exact = [match for match in matches if match.exact] or matches
    by_id = {match.id: match for match in exact}
    if not by_id:
        near = await find_near_names(conn, reference)
        names = near or [row.name for row in await list_entities(conn, "", 0, _SHOWN)]
        raise EntityNotFound(reference, near=names, advice=_WHERE_LISTED)
    if len(by_id) > 1:
        which = ", ".join(f"{entity_id(match.id)} ({match.type})" for match in by_id.values())
        raise FactConflict(f"{reference!r} names {which}. Use the id.")
    (match,) = by_id.values()
    return Entity(match.id, match.name, match.type, match.normal)


async def _merge(conn: Connection, gone: Entity, kept: Entity) -> None:
    await move_mentions(conn, gone.id, kept.id)
    await remove_entity(conn, gone.id)
    await entities.add_alias(
        conn,
        kept.id,
        type=gone.type,
        normal=gone.normal,
        alias=gone.name,
        words=words_of(gone.name),
        merged=True,
    )
    await entities.refresh_words(conn, [kept.id])
    await expire_answers(conn)


async def _split(conn: Connection, entity: Entity, names: Sequence[str]) -> int:
    normals = list(dict.fromkeys(normalize(name) for name in names))
    if entity.normal in normals:
        raise InvalidInput("names", f"{entity.name!r} is the entity's own name; split the others")
    used = await get_used_names(conn, entity.id)
    kinds = {normalize(name): (name, kind) for name, kind in reversed(used)}
    for name in names:
        if normalize(name) not in kinds:
            raise InvalidInput("names", f"{name[:60]!r} is no name of {entity.name!r}")
    shown, kind = kinds[normals[0]]
    number, is_new = await entities.add(
        conn, shown, kind or UNKNOWN_TYPE, normals[0], words_of(shown)
    )
    if not is_new:
        raise FactConflict(f"{shown!r} is an entity of its own already: {entity_id(number)}.")
    parted_names = [name for name, _ in used if normalize(name) in normals]
    await move_mentions(conn, entity.id, number, normals=normals, names=parted_names)
    await remove_alias(conn, number, normals[0])
    await entities.refresh_words(conn, [entity.id, number])
    await expire_answers(conn)
    return number
