"""The rules of entities' identity; each public method is one transaction."""

from collections.abc import Sequence

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.db.session import Session
from mcp_memory.errors import EntityNotFound, FactConflict, InvalidInput
from mcp_memory.graph.entities import store as entities
from mcp_memory.graph.entities.store import Entity
from mcp_memory.graph.identity import store
from mcp_memory.graph.identity.store import EntitySummary
from mcp_memory.graph.models import UNKNOWN_TYPE
from mcp_memory.graph.names import entity_id, entity_number, normalize, words_of
from mcp_memory.graph.traversal.store import find_near_names

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
            return await store.list_entities(conn, folded, after, limit)

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
        names = near or [row.name for row in await store.list_entities(conn, "", 0, _SHOWN)]
        raise EntityNotFound(reference, near=names, advice=_WHERE_LISTED)
    if len(by_id) > 1:
        which = ", ".join(f"{entity_id(match.id)} ({match.type})" for match in by_id.values())
        raise FactConflict(f"{reference!r} names {which}. Use the id.")
    (match,) = by_id.values()
    return Entity(match.id, match.name, match.type, match.normal)


async def _merge(conn: Connection, gone: Entity, kept: Entity) -> None:
    await store.move_mentions(conn, gone.id, kept.id)
    await store.remove_entity(conn, gone.id)
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
    await store.expire_answers(conn)


async def _split(conn: Connection, entity: Entity, names: Sequence[str]) -> int:
    normals = list(dict.fromkeys(normalize(name) for name in names))
    if entity.normal in normals:
        raise InvalidInput("names", f"{entity.name!r} is the entity's own name; split the others")
    used = await store.get_used_names(conn, entity.id)
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
    await store.move_mentions(conn, entity.id, number, normals=normals, names=parted_names)
    await store.remove_alias(conn, number, normals[0])
    await entities.refresh_words(conn, [entity.id, number])
    await store.expire_answers(conn)
    return number
