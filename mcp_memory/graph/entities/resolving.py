"""From names to entities: by its own name, then by another, else a new one; likeness proposes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from mcp_memory.db.connection import Connection
from mcp_memory.graph.checking import relation_name
from mcp_memory.graph.entities import store
from mcp_memory.graph.entities.store import Match
from mcp_memory.graph.models import (
    UNKNOWN_TYPE,
    Candidate,
    Mention,
    NamedEntity,
    NamedRelation,
    Relation,
)
from mcp_memory.graph.names import entity_id, initials, normal, words_of

_LIKE = 0.72
_MAX_CANDIDATES = 3


@dataclass(frozen=True, slots=True)
class Resolved:
    """What the names of a memory lead to; `created` are the entities that are new."""

    mentions: list[Mention]
    relations: list[Relation]
    created: frozenset[int]


async def resolve(
    conn: Connection, entities: Sequence[NamedEntity], relations: Sequence[NamedRelation]
) -> Resolved:
    """The entities that are named; an end of a relation that is no entity yet becomes one."""
    named = _named(entities, relations)
    if not named:
        return Resolved([], [], frozenset())
    await store.share(conn)
    known = await store.matches(conn, sorted({normal(each.name) for each in named}))
    mentions: list[Mention] = []
    created: set[int] = set()
    # In one order everywhere, so that two writers of the same names never wait for each other.
    for entity in sorted(named, key=lambda each: (each.type, normal(each.name))):
        mention, is_new = await _mention(conn, entity, known)
        mentions.append(mention)
        if is_new:
            created.add(mention.entity_id)
    order = {normal(each.name): place for place, each in enumerate(named)}
    mentions.sort(key=lambda mention: order[mention.normal])
    return Resolved(mentions, _related(mentions, relations), frozenset(created))


def _named(
    entities: Sequence[NamedEntity], relations: Sequence[NamedRelation]
) -> list[NamedEntity]:
    """Each name once with its type; the ends of relations that are not among the entities too."""
    named: dict[tuple[str, str], NamedEntity] = {}
    for entity in entities:
        key = (normal(entity.name), entity.type.strip().lower())
        earlier = named.get(key)
        aliases = dict.fromkeys((*(earlier.aliases if earlier else ()), *entity.aliases))
        named[key] = replace(entity, type=key[1], aliases=tuple(aliases))
    said = {name for entity in named.values() for name in _normals(entity)}
    for end in (name for relation in relations for name in (relation.subject, relation.object)):
        if normal(end) not in said:
            said.add(normal(end))
            named[(normal(end), "")] = NamedEntity(end.strip())
    return list(named.values())


def _normals(entity: NamedEntity) -> set[str]:
    return {normal(name) for name in (entity.name, *entity.aliases)}


async def _mention(
    conn: Connection, entity: NamedEntity, known: Iterable[Match]
) -> tuple[Mention, bool]:
    """How the memory speaks of the entity, which is made when nothing goes by its name."""
    name, folded = " ".join(entity.name.split()), normal(entity.name)
    found = _chosen(entity, folded, known)
    kind = entity.type or (found.type if found else UNKNOWN_TYPE)
    if found is None:
        number, is_new = await store.add(conn, name, kind, folded, words_of(name))
    else:
        number, is_new = found.id, False
        if found.type == UNKNOWN_TYPE != kind:
            await store.set_type(conn, number, kind)
    others = {normal(alias): alias for alias in entity.aliases if normal(alias) != folded}
    for other, alias in sorted(others.items()):
        shown = " ".join(alias.split())
        await store.add_alias(
            conn, number, type=kind, normal=other, alias=shown, words=words_of(shown)
        )
    return Mention(number, name, kind, folded, sorted(others)), is_new


def _chosen(entity: NamedEntity, folded: str, known: Iterable[Match]) -> Match | None:
    """The first that fits: its own name before another's, the same type before an unknown one.

    An entity without a type is any of that name; one with a type never is one of another type.
    """
    fitting = [match for match in known if match.matched == folded]
    if not entity.type:
        return next(iter(fitting), None)
    for kind in (entity.type, UNKNOWN_TYPE):
        for match in fitting:
            if kind in ({match.type} if match.exact else {match.type, match.known_type}):
                return match
    return None


def _related(mentions: Sequence[Mention], relations: Sequence[NamedRelation]) -> list[Relation]:
    by_name: dict[str, int] = {}
    for mention in mentions:
        by_name.setdefault(mention.normal, mention.entity_id)
    for mention in mentions:
        for alias in mention.known_as:
            by_name.setdefault(alias, mention.entity_id)
    found = (
        Relation(
            subject_id=by_name[normal(relation.subject)],
            relation=relation_name(relation.relation),
            object_id=by_name[normal(relation.object)],
            subject=relation.subject.strip(),
            object=relation.object.strip(),
            valid_from=relation.valid_from,
            valid_until=relation.valid_until,
        )
        for relation in relations
    )
    return list(dict.fromkeys(found))


async def candidates(conn: Connection, mention: Mention) -> list[Candidate]:
    """Known entities that a new one may be another name of, the most alike first.

    By words, slips and initials, not by vectors: most of what those find besides is another
    entity (benchmarks/names.py).
    """
    near = await store.near(conn, mention.entity_id, mention.name)
    scored = [
        Candidate(entity_id(each.id), each.name, round(likeness(mention.normal, each.normal), 2))
        for each in near
        if UNKNOWN_TYPE in (each.type, mention.type) or each.type == mention.type
    ]
    alike = [each for each in scored if each.score >= _LIKE]
    return sorted(alike, key=lambda each: -each.score)[:_MAX_CANDIDATES]


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
