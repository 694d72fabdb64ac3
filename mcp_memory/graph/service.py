"""The rules of memories; each public method is one transaction."""

from dataclasses import asdict
from datetime import tzinfo
from functools import partial

from mcp_memory.config import GraphConfig, LimitsConfig
from mcp_memory.db import idempotency
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.graph import responses, store
from mcp_memory.graph.checking import check, check_change
from mcp_memory.graph.models import Stored, StoreMemory, Updated, UpdateMemory
from mcp_memory.graph.storing import SimilarityContext, store_memory
from mcp_memory.graph.updating import update_memory
from mcp_memory.spaces.service import Spaces

# Of a long text the beginning tells what it is about.
_COMPARED_CHARS = 2000


class Graph:
    """The memories of every named database, as each agent writes them."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        limits: LimitsConfig,
        settings: GraphConfig,
        zone: tzinfo,
    ) -> None:
        self._databases, self._spaces = databases, spaces
        self._limits, self._zone = limits, zone
        self._functional = frozenset(settings.functional_relations)

    async def store(
        self, agent: str, memory: StoreMemory, *, database: str | None = None
    ) -> Stored:
        """Keep the memory; exactly the same again is the one that is there.

        What is only like it, or contradicts it, is proposed: nothing else changes.
        """
        check(memory, content_bytes=self._limits.content_bytes)
        key = idempotency.check_key(memory.idempotency_key)
        # What it refers to is in no database that is not there.
        is_first = not (memory.supersedes or memory.associations)
        chosen = await self._databases.opened_for(database, agent, create=is_first)
        query = await self._spaces.query_vector(chosen, memory.content[:_COMPARED_CHARS])
        similarity = SimilarityContext(query, self._functional)
        request = idempotency.request_hash({"store": asdict(memory)})

        async def keep(conn: Connection) -> Stored:
            do = partial(store_memory, conn, agent, memory, similarity, self._zone)
            return await responses.stored(
                conn, await idempotency.once(conn, agent, key, request, do)
            )

        stored = await chosen.write(agent, keep)
        await self._spaces.follow(chosen)
        return stored

    async def update(
        self, agent: str, request: UpdateMemory, *, database: str | None = None
    ) -> Updated:
        """Add a version to one's own memory; the one before stays true until this one begins."""
        check_change(request, content_bytes=self._limits.content_bytes)
        key = idempotency.check_key(request.idempotency_key)
        chosen = await self._databases.reading(database, agent)
        fingerprint = idempotency.request_hash({"update": asdict(request)})

        async def update(conn: Connection) -> Updated:
            do = partial(update_memory, conn, agent, request, self._zone)
            response = await idempotency.once(conn, agent, key, fingerprint, do)
            return Updated(**response)  # pyright: ignore[reportArgumentType]  # our own JSON

        updated = await chosen.write(agent, update)
        await self._spaces.follow(chosen)
        return updated

    async def count(self, agent: str, *, database: str | None = None) -> dict[str, int]:
        """How many memories and entities the agent can see."""
        chosen = await self._databases.reading(database, agent)
        memories, named = await chosen.read(agent, store.count)
        return {"memories": memories, "entities": named}
