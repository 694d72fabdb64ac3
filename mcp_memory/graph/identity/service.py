"""The rules of entities' identity; each public method is one transaction."""

from collections.abc import Sequence

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import EntityNotFound, InvalidInput, MemoryConflict
from mcp_memory.graph.entities import store as entities
from mcp_memory.graph.entities.store import Entity
from mcp_memory.graph.identity import store
from mcp_memory.graph.identity.store import ListedEntity
from mcp_memory.graph.models import UNKNOWN_TYPE
from mcp_memory.graph.names import entity_id, entity_number, normal, words_of
from mcp_memory.graph.traversal.store import near_names

_SHOWN = 10
_WHERE_LISTED = "`mcp-memory graph entities` lists all."


class Identity:
    """Says which of an agent's entities are one. Names are not lost: what was joined can part."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def list(
        self,
        agent: str,
        *,
        prefix: str = "",
        after: int = 0,
        limit: int = 100,
        database: str | None = None,
    ) -> list[ListedEntity]:
        """The agent's entities whose name begins so, after the one of that number."""
        chosen = await self._databases.reading(database, agent)
        folded = normal(prefix) if prefix.strip() else ""
        return await chosen.read(agent, lambda conn: store.listed(conn, folded, after, limit))

    async def merge(self, agent: str, gone: str, kept: str, *, database: str | None = None) -> str:
        """Let `gone` (a name or an id) be another name of `kept`; the id of what is left."""
        chosen = await self._databases.reading(database, agent)

        async def merge(conn: Connection) -> str:
            await entities.hold(conn)
            one, other = await _named(conn, gone), await _named(conn, kept)
            if one.id == other.id:
                raise InvalidInput("entity", f"{gone!r} and {kept!r} are one already")
            await _merge(conn, one, other)
            await audit.record(conn, Event(agent, "merge", "entity", entity_id(other.id)))
            return entity_id(other.id)

        return await chosen.write(agent, merge)

    async def split(
        self, agent: str, entity: str, names: Sequence[str], *, database: str | None = None
    ) -> str:
        """Let what goes by these names of the entity be one of its own; the new entity's id."""
        if not names:
            raise InvalidInput("names", "is empty; name what is to be an entity of its own")
        chosen = await self._databases.reading(database, agent)

        async def split(conn: Connection) -> str:
            await entities.hold(conn)
            number = await _split(conn, await _named(conn, entity), names)
            await audit.record(conn, Event(agent, "split", "entity", entity_id(number)))
            return entity_id(number)

        return await chosen.write(agent, split)


async def _named(conn: Connection, reference: str) -> Entity:
    """The caller's entity of that id, or the only one that goes by that name."""
    number = entity_number(reference)
    if number is not None and (found := (await entities.by_id(conn, [number])).get(number)):
        return found
    matches = await entities.matches(conn, [normal(reference)])
    exact = [match for match in matches if match.exact] or matches
    named = {match.id: match for match in exact}
    if not named:
        near = await near_names(conn, reference)
        known = near or [each.name for each in await store.listed(conn, "", 0, _SHOWN)]
        raise EntityNotFound(reference, near=known, advice=_WHERE_LISTED)
    if len(named) > 1:
        which = ", ".join(f"{entity_id(each.id)} ({each.type})" for each in named.values())
        raise MemoryConflict(f"{reference!r} names {which}. Use the id.")
    (match,) = named.values()
    return Entity(match.id, match.name, match.type, match.normal)


async def _merge(conn: Connection, gone: Entity, kept: Entity) -> None:
    await store.move(conn, gone.id, kept.id)
    await store.remove(conn, gone.id)
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
    await store.tell(conn)


async def _split(conn: Connection, entity: Entity, names: Sequence[str]) -> int:
    wanted = list(dict.fromkeys(normal(name) for name in names))
    if entity.normal in wanted:
        raise InvalidInput("names", f"{entity.name!r} is the entity's own name; split the others")
    used = await store.names_used(conn, entity.id)
    known = {normal(name): (name, kind) for name, kind in reversed(used)}
    for name in names:
        if normal(name) not in known:
            raise InvalidInput("names", f"{name[:60]!r} is no name of {entity.name!r}")
    shown, kind = known[wanted[0]]
    number, is_new = await entities.add(
        conn, shown, kind or UNKNOWN_TYPE, wanted[0], words_of(shown)
    )
    if not is_new:
        raise MemoryConflict(f"{shown!r} is an entity of its own already: {entity_id(number)}.")
    spoken = [name for name, _ in used if normal(name) in wanted]
    await store.move(conn, entity.id, number, normals=wanted, names=spoken)
    await store.remove_alias(conn, number, wanted[0])
    await entities.refresh_words(conn, [entity.id, number])
    await store.tell(conn)
    return number
