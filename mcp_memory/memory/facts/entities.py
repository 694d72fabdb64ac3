"""The SQL of entities and of their other names."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from psycopg.rows import class_row

from mcp_memory.memory.facts.check import relation_name
from mcp_memory.memory.facts.model import (
    UNKNOWN_TYPE,
    EntityCandidate,
    EntityReference,
    Mention,
    Relation,
    RelationReference,
    entity_id,
    likeness,
    typos_of,
    words_of,
)
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.terms import normalize


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity of the caller's."""

    id: int
    name: str
    type: str
    normal: str


@dataclass(frozen=True, slots=True)
class EntityMatch:
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


async def lock_shared(conn: Connection) -> None:
    """No entity of the caller's goes away until the transaction ends."""
    await conn.execute(_SHARE)


async def lock_alone(conn: Connection) -> None:
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


async def find_matches(conn: Connection, normals: Sequence[str]) -> list[EntityMatch]:
    """The caller's entities that go by these folded names, by their own name first."""
    async with conn.cursor(row_factory=class_row(EntityMatch)) as cursor:
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


async def find_near_entities(conn: Connection, entity: int, name: str) -> list[Entity]:
    """Other entities that share words with the name, but for a slip, and are spoken of."""
    parameters = {"id": entity, "words": words_of(name), "slips": typos_of(name)}
    async with conn.cursor(row_factory=class_row(Entity)) as cursor:
        return await (await cursor.execute(_NEAR, parameters)).fetchall()


_BY_ID = """
SELECT id, name, type, normal
FROM entities
WHERE id = ANY (%(ids)s) AND agent_id = current_agent()
"""


async def get_entities(conn: Connection, numbers: Sequence[int]) -> dict[int, Entity]:
    """The caller's entities of these ids."""
    async with conn.cursor(row_factory=class_row(Entity)) as cursor:
        rows = await (await cursor.execute(_BY_ID, {"ids": list(numbers)})).fetchall()
    return {entity.id: entity for entity in rows}


# What a purge leaves behind of names that only the purged facts used.
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


async def remove_unused_names(conn: Connection, numbers: Sequence[int]) -> None:
    """Remove of these entities every name that nobody uses any more, and those nobody names."""
    for statement in (_REMOVE_ALIASES, _REMOVE_UNSPOKEN, _RENAME):
        await conn.execute(statement, {"ids": list(numbers)})
    await refresh_words(conn, numbers)


async def refresh_words(conn: Connection, numbers: Sequence[int]) -> None:
    """Let these entities be near to what their names are near to."""
    for entity, names in (await _get_names(conn, numbers)).items():
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


async def _get_names(conn: Connection, numbers: Sequence[int]) -> dict[int, list[str]]:
    """Every name that each of these entities goes by, its own last."""
    rows = await (await conn.execute(_ALL_NAMES, {"ids": list(numbers)})).fetchall()
    return {int(row[0]): list(row[1]) for row in rows}


_LIKE = 0.72
_MAX_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Resolution:
    """What the names of a fact lead to; `created` are the entities that are new."""

    mentions: list[Mention]
    relations: list[Relation]
    created: frozenset[int]


async def resolve(
    conn: Connection, entities: Sequence[EntityReference], relations: Sequence[RelationReference]
) -> Resolution:
    """The entities that are named; an end of a relation that is no entity yet becomes one."""
    references = _unique_references(entities, relations)
    if not references:
        return Resolution([], [], frozenset())
    await lock_shared(conn)
    matches = await find_matches(
        conn, sorted({normalize(reference.name) for reference in references})
    )
    mentions: list[Mention] = []
    created: set[int] = set()
    # In one order everywhere, so that two writers of the same names never wait for each other.
    for entity in sorted(
        references, key=lambda reference: (reference.type, normalize(reference.name))
    ):
        mention, is_new = await _resolve_reference(conn, entity, matches)
        mentions.append(mention)
        if is_new:
            created.add(mention.entity_id)
    order = {normalize(reference.name): index for index, reference in enumerate(references)}
    mentions.sort(key=lambda mention: order[mention.normal])
    return Resolution(mentions, _to_relations(mentions, relations), frozenset(created))


def _unique_references(
    entities: Sequence[EntityReference], relations: Sequence[RelationReference]
) -> list[EntityReference]:
    """Each name once with its type; the ends of relations that are not among the entities too."""
    references: dict[tuple[str, str], EntityReference] = {}
    for entity in entities:
        key = (normalize(entity.name), entity.type.strip().lower())
        earlier = references.get(key)
        aliases = dict.fromkeys((*(earlier.aliases if earlier else ()), *entity.aliases))
        references[key] = replace(entity, type=key[1], aliases=tuple(aliases))
    names = {name for entity in references.values() for name in _normals(entity)}
    for end in (name for relation in relations for name in (relation.subject, relation.object)):
        if normalize(end) not in names:
            names.add(normalize(end))
            references[(normalize(end), "")] = EntityReference(end.strip())
    return list(references.values())


def _normals(entity: EntityReference) -> set[str]:
    return {normalize(name) for name in (entity.name, *entity.aliases)}


async def _resolve_reference(
    conn: Connection, entity: EntityReference, matches: Iterable[EntityMatch]
) -> tuple[Mention, bool]:
    """How the fact speaks of the entity, which is made when nothing goes by its name."""
    name, folded = " ".join(entity.name.split()), normalize(entity.name)
    match = _best_match(entity, folded, matches)
    kind = entity.type or (match.type if match else UNKNOWN_TYPE)
    if match is None:
        number, is_new = await add(conn, name, kind, folded, words_of(name))
    else:
        number, is_new = match.id, False
        if match.type == UNKNOWN_TYPE != kind:
            await set_type(conn, number, kind)
    others = {normalize(alias): alias for alias in entity.aliases if normalize(alias) != folded}
    for other, alias in sorted(others.items()):
        shown = " ".join(alias.split())
        await add_alias(conn, number, type=kind, normal=other, alias=shown, words=words_of(shown))
    return Mention(number, name, kind, folded, sorted(others)), is_new


def _best_match(
    entity: EntityReference, folded: str, matches: Iterable[EntityMatch]
) -> EntityMatch | None:
    """The first that fits: its own name before another's, the same type before an unknown one.

    An entity without a type is any of that name; one with a type never is one of another type.
    """
    fitting = [match for match in matches if match.matched == folded]
    if not entity.type:
        return next(iter(fitting), None)
    for kind in (entity.type, UNKNOWN_TYPE):
        for match in fitting:
            if kind in ({match.type} if match.exact else {match.type, match.known_type}):
                return match
    return None


def _to_relations(
    mentions: Sequence[Mention], relations: Sequence[RelationReference]
) -> list[Relation]:
    by_name: dict[str, int] = {}
    for mention in mentions:
        by_name.setdefault(mention.normal, mention.entity_id)
    for mention in mentions:
        for alias in mention.known_as:
            by_name.setdefault(alias, mention.entity_id)
    resolved_relations = (
        Relation(
            subject_id=by_name[normalize(relation.subject)],
            relation=relation_name(relation.relation),
            object_id=by_name[normalize(relation.object)],
            subject=relation.subject.strip(),
            object=relation.object.strip(),
            valid_from=relation.valid_from,
            valid_until=relation.valid_until,
        )
        for relation in relations
    )
    return list(dict.fromkeys(resolved_relations))


async def find_candidates(conn: Connection, mention: Mention) -> list[EntityCandidate]:
    """Known entities that a new one may be another name of, the most alike first.

    By words, slips and initials, not by vectors: most of what those find besides is another
    entity (benchmarks/names.py).
    """
    near = await find_near_entities(conn, mention.entity_id, mention.name)
    scored = [
        EntityCandidate(
            entity_id(candidate.id),
            candidate.name,
            round(likeness(mention.normal, candidate.normal), 2),
        )
        for candidate in near
        if UNKNOWN_TYPE in (candidate.type, mention.type) or candidate.type == mention.type
    ]
    alike = [candidate for candidate in scored if candidate.score >= _LIKE]
    return sorted(alike, key=lambda candidate: -candidate.score)[:_MAX_CANDIDATES]
