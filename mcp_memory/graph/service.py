"""The rules of facts; each public method is one transaction."""

from dataclasses import asdict
from datetime import tzinfo
from functools import partial

from mcp_memory.config import GraphConfig, LimitsConfig
from mcp_memory.db import idempotency
from mcp_memory.db.session import Session
from mcp_memory.graph import responses, store
from mcp_memory.graph.checking import check_change, check_fact
from mcp_memory.graph.models import FactChange, NewFact, StoreResult, UpdateResult
from mcp_memory.graph.storing import SimilarityContext, store_fact
from mcp_memory.graph.updating import update_fact
from mcp_memory.spaces.service import Spaces

# Of a long text the beginning tells what it is about.
_COMPARED_CHARS = 2000


class Facts:
    """The facts of every named database, as each agent writes them."""

    def __init__(
        self,
        spaces: Spaces,
        limits: LimitsConfig,
        settings: GraphConfig,
        zone: tzinfo,
    ) -> None:
        self._spaces, self._limits, self._zone = spaces, limits, zone
        self._functional = frozenset(settings.functional_relations)

    async def store(self, session: Session, memory: NewFact) -> StoreResult:
        """Keep the fact; exactly the same again is the one that is there.

        What is only like it, or contradicts it, is proposed: nothing else changes.
        """
        check_fact(memory, content_bytes=self._limits.content_bytes)
        key = idempotency.check_key(memory.idempotency_key)
        # What it refers to is in no database that is not there.
        is_first = not (memory.supersedes or memory.associations)
        database = await session.open(create=is_first)
        query = await self._spaces.query_vector(database, memory.content[:_COMPARED_CHARS])
        similarity = SimilarityContext(query, self._functional)
        request = idempotency.request_hash({"store": asdict(memory)})
        agent = session.agent
        async with database.writing(agent) as conn:
            do = partial(store_fact, conn, agent, memory, similarity, self._zone)
            response = await idempotency.once(conn, agent, key, request, do)
            stored = await responses.to_result(conn, response)
        await self._spaces.follow(database)
        return stored

    async def update(self, session: Session, request: FactChange) -> UpdateResult:
        """Add a version to one's own fact; the one before stays true until this one begins."""
        check_change(request, content_bytes=self._limits.content_bytes)
        key = idempotency.check_key(request.idempotency_key)
        fingerprint = idempotency.request_hash({"update": asdict(request)})
        agent = session.agent
        async with session.writing(create=False) as conn:
            do = partial(update_fact, conn, agent, request, self._zone)
            response = await idempotency.once(conn, agent, key, fingerprint, do)
        await self._spaces.follow(await session.open())
        return UpdateResult(**response)  # pyright: ignore[reportArgumentType]  # our own JSON

    async def count(self, session: Session) -> dict[str, int]:
        """How many facts and entities the agent can see."""
        async with session.reading() as conn:
            memories, entities = await store.count_facts(conn)
        return {"memories": memories, "entities": entities}
