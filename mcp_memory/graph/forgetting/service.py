"""The rules of forgetting; each public method is one transaction."""

from datetime import timedelta, tzinfo
from functools import partial

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import LimitsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput, MemoryConflict, MemoryNotFound
from mcp_memory.graph import store as memories
from mcp_memory.graph import writing
from mcp_memory.graph.entities import store as entities
from mcp_memory.graph.forgetting import store
from mcp_memory.graph.models import Forgotten, Head
from mcp_memory.graph.names import memory_id
from mcp_memory.graph.statements import store as statements_store
from mcp_memory.lexicon.service import Lexicon
from mcp_memory.spaces.service import Spaces


class Forgetting:
    """Takes memories out of everything at once, and out of the tables when they are purged."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        lexicon: Lexicon,
        limits: LimitsConfig,
        zone: tzinfo,
    ) -> None:
        self._databases, self._limits, self._zone = databases, limits, zone
        self._spaces, self._lexicon = spaces, lexicon

    async def forget(
        self, agent: str, id: str, *, reason: str = "", database: str | None = None
    ) -> Forgotten:
        """Take one's own memory out of every search; undo brings it back for a while."""
        chosen = await self._databases.reading(database, agent)

        async def forget(conn: Connection) -> Forgotten:
            head = await writing.own(conn, agent, id, forgotten=True)
            if head.forgotten_at is None:
                await _forget(conn, agent, [head.id], reason)
            when, _ = await store.forgotten_at(conn, head.id, self._limits.recovery_days)
            return Forgotten(memory_id(head.id), forgotten_at=when)

        return await chosen.write(agent, forget)

    async def restore(self, agent: str, id: str, *, database: str | None = None) -> Forgotten:
        """Bring a forgotten memory back, with every version as it was."""
        chosen = await self._databases.reading(database, agent)

        async def restore(conn: Connection) -> Forgotten:
            head = await writing.own(conn, agent, id, forgotten=True)
            when, is_kept = await store.forgotten_at(conn, head.id, self._limits.recovery_days)
            if when is None:
                raise MemoryConflict(f"{memory_id(head.id)} is not forgotten.")
            if not is_kept:
                raise MemoryNotFound(id)
            await _restore(conn, head, self._zone)
            await audit.record(conn, Event(agent, "restore", "memory", memory_id(head.id)))
            return Forgotten(memory_id(head.id), restored=True)

        restored = await chosen.write(agent, restore)
        await self._spaces.follow(chosen)
        return restored

    async def purge(self, agent: str, id: str, *, database: str | None = None) -> Forgotten:
        """Remove one's own memory, forgotten or not, with everything that only it said."""
        chosen = await self._databases.reading(database, agent)

        async def purge(conn: Connection) -> Forgotten:
            await memories.hold_chains(conn)
            head = await writing.own(conn, agent, id, forgotten=True)
            await _purge(conn, head)
            await audit.record(conn, Event(agent, "purge", "memory", ""))
            return Forgotten(memory_id(head.id), purged=True)

        purged = await chosen.write(agent, purge)
        await self._lexicon.merge_if_possible(chosen)
        return purged

    async def revoke(
        self, agent: str, source: str, *, dry_run: bool = False, database: str | None = None
    ) -> list[str]:
        """Forget all of one's own memories that come from this source; their ids.

        A dry run does it and takes it back. Nothing that has no source is ever meant.
        """
        if not source.strip():
            raise InvalidInput("source", "is empty; name the source to revoke")
        chosen = await self._databases.reading(database, agent)

        async def revoke(conn: Connection) -> list[str]:
            async with conn.transaction(force_rollback=dry_run):
                numbers = await store.of_source(conn, source)
                await _forget(conn, agent, numbers, "revoked")
            return [memory_id(number) for number in numbers]

        return await chosen.write(agent, revoke)

    async def purge_outdated(
        self,
        agent: str,
        *,
        owner: str | None = None,
        age: timedelta | None = None,
        dry_run: bool = False,
        database: str | None = None,
    ) -> int:
        """Remove for good what was forgotten, or has expired, longer ago than `age`; how many.

        Of every agent, or of one owner; None is the time in which it can be brought back.
        """
        chosen = await self._databases.reading(database, agent)
        kept = timedelta(days=self._limits.recovery_days) if age is None else age
        found = await chosen.maintain(partial(store.outdated, age=kept, owner=owner))
        if dry_run:
            return len(found)
        purged = 0
        for number, whose in found:
            purge = partial(_purge_outdated, number=number, age=kept)
            purged += await chosen.write(whose, purge)
        await self._lexicon.merge_if_possible(chosen)
        return purged


async def _purge_outdated(conn: Connection, number: int, age: timedelta) -> int:
    """Purge the caller's memory unless it was brought back since it was found; how many went."""
    await memories.hold_chains(conn)
    held = await memories.locked(conn, [number])
    if not held or not await store.is_outdated(conn, number, age):
        return 0
    await _purge(conn, held[0])
    return 1


async def _forget(conn: Connection, agent: str, numbers: list[int], reason: str) -> None:
    await store.forget(conn, numbers, reason)
    await memories.settle(conn, numbers)
    for number in numbers:
        await audit.record(conn, Event(agent, "forget", "memory", memory_id(number)))


async def _restore(conn: Connection, head: Head, zone: tzinfo) -> None:
    await store.restore(conn, head.id)
    for version in await memories.versions(conn, head.id):
        statements = await statements_store.of_version(conn, version)
        await writing.index(conn, version, statements, zone)
    await memories.settle(conn, [head.id])


async def _purge(conn: Connection, head: Head) -> None:
    """The memory and whatever name nobody else uses; its neighbours in the chain join hands."""
    await entities.hold(conn)
    named = await store.entities_of(conn, [head.id])
    await store.unchain(conn, head.id, head.supersedes)
    await store.remove(conn, head.id)
    await entities.clear(conn, named)
