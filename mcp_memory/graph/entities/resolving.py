"""From names to entities: by its own name, then by another, else a new one; likeness proposes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from mcp_memory.db.connection import Connection
from mcp_memory.graph.checking import relation_name
from mcp_memory.graph.entities import store
from mcp_memory.graph.entities.store import EntityMatch
from mcp_memory.graph.models import (
    UNKNOWN_TYPE,
    EntityCandidate,
    EntityReference,
    Mention,
    Relation,
    RelationReference,
)
from mcp_memory.graph.names import entity_id, initials, normalize, words_of

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
    await store.lock_shared(conn)
    matches = await store.find_matches(
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
        number, is_new = await store.add(conn, name, kind, folded, words_of(name))
    else:
        number, is_new = match.id, False
        if match.type == UNKNOWN_TYPE != kind:
            await store.set_type(conn, number, kind)
    others = {normalize(alias): alias for alias in entity.aliases if normalize(alias) != folded}
    for other, alias in sorted(others.items()):
        shown = " ".join(alias.split())
        await store.add_alias(
            conn, number, type=kind, normal=other, alias=shown, words=words_of(shown)
        )
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
    near = await store.find_near_entities(conn, mention.entity_id, mention.name)
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


def likeness(one: str, other: str) -> float:
    """1 for the same letters, in whatever order the words stand.

    A name that is part of the other's words, or their initials, is nearly that.
    """
    words, others = one.split(), other.split()
    is_part = set(words) < set(others) or set(others) < set(words)
    is_short_for = one in initials(other) or other in initials(one)
    in_order = SequenceMatcher(None, " ".join(sorted(words)), " ".join(sorted(others))).ratio()
    written = SequenceMatcher(None, one, other).ratio()
    return max(written, in_order, 0.8 if is_part or is_short_for else 0.0)
