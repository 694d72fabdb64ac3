"""The rules of vector spaces: one is active, this process fills those it has the model of."""

import logging
from functools import partial
from weakref import WeakSet

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.db.session import Session
from mcp_memory.db.vectors import Vector
from mcp_memory.errors import EmbeddingError, EmbeddingUnavailable, McpMemoryError
from mcp_memory.spaces import store
from mcp_memory.spaces.administration import Administration
from mcp_memory.spaces.background_tasks import BoundedTasks
from mcp_memory.spaces.embedders import Embedders
from mcp_memory.spaces.filling import prepare
from mcp_memory.spaces.known import SpaceCache
from mcp_memory.spaces.models import QueryVector, Space
from mcp_memory.spaces.queue.work import EmbeddingTarget, embed_batch
from mcp_memory.spaces.worker import Worker

# How long a search waits for its query's vector, and a write for those of its text.
_PATIENCE_SECONDS = 2.0
# Larger batches gain nothing while somebody waits for the first of them.
_BATCH = 64

logger = logging.getLogger(__name__)

__all__ = ["QueryVector", "Spaces"]


class Spaces:
    """The vector spaces of every named database, filled with this process's models."""

    def __init__(self, databases: Databases, embedders: Embedders, *, batch_size: int) -> None:
        self._embedders = embedders
        self._batch = min(batch_size, _BATCH)
        self._spaces = SpaceCache()
        self._worker = Worker(databases, embedders, self._spaces, batch=self._batch)
        self.administration = Administration(embedders, self._spaces)
        self._queues_seen: WeakSet[Database] = WeakSet()
        # A hung query leaves the embedder's other threads to other queries; a hung write leaves
        # every other write to the worker.
        self._queries = BoundedTasks(patience_seconds=_PATIENCE_SECONDS, max_overdue=3)
        self._writes = BoundedTasks(patience_seconds=_PATIENCE_SECONDS, max_overdue=1)

    @property
    def embedders(self) -> Embedders:
        """The models of this process."""
        return self._embedders

    async def query_vector(self, database: Database, query: str) -> QueryVector:
        """The query in the active space; a problem in words when it cannot be had in time."""
        try:
            space = await self._active(database, self._queries)
            self._embedders.require(space)
            if not space.prepared:
                self._worker.wake()
            embed = partial(self._embed_query, space, query)
            return await self._queries.run(space.provider, embed)
        except EmbeddingError as exc:
            return QueryVector(problem=f"semantic search: {exc}")
        finally:
            self._notice(database)

    async def follow(self, database: Database) -> None:
        """After a write: embed what is due now, if it goes quickly; the rest is the worker's.

        Never fails: the text is committed, and its vectors are queued.
        """
        try:
            space = await self._active(database, self._writes)
            self._embedders.require(space)
            embed = partial(self._embed_due, database, space)
            is_done = await self._writes.run(space.provider, embed)
        except McpMemoryError as exc:
            logger.info("vectors follow later: %s", exc)
            is_done = False
        if not is_done:
            self._worker.wake()

    async def follow_later(self, database: Database) -> None:
        """After a write that does not wait for its vectors: the worker sees to them at once."""
        try:
            has_space = await self._spaces.active(database) is not None
        except McpMemoryError as exc:
            logger.info("vectors follow later: %s", exc)
            return
        if has_space:
            self._worker.wake()
        else:
            await self.follow(database)

    async def pending(self, session: Session) -> int:
        """How many of the agent's chunks wait for their vector."""
        async with session.reading() as conn:
            return await store.pending(conn)

    async def active(self, session: Session) -> Space | None:
        """The vector space that searches in the database use; None before there is any."""
        return await self._spaces.active(await session.open())

    async def run_worker(self) -> None:
        """Fill the spaces of all open databases until cancelled, then end what is under way."""
        try:
            await self._worker.run()
        finally:
            with anyio.CancelScope(shield=True):
                await self._queries.aclose()
                await self._writes.aclose()

    def _notice(self, database: Database) -> None:
        """Let the worker look into the queues of a database that was just opened."""
        if database not in self._queues_seen:
            self._queues_seen.add(database)
            self._worker.wake()

    async def _active(self, database: Database, tasks: BoundedTasks) -> Space:
        """The active space; the first process to need one makes its own model's."""
        space = await self._spaces.active(database)
        if space is None:
            provider = self._embedders.configured.provider
            await tasks.run(provider, partial(self._begin, database))
            self._spaces.forget(database)
            space = await self._spaces.active(database)
        if space is None:
            raise EmbeddingUnavailable("mcp-memory", "this database has no vectors yet")
        return space

    async def _begin(self, database: Database) -> None:
        """Register this process's model; if another process was faster, its model is active."""
        own = await self._embedders.own()
        async with database.maintaining() as conn:
            await store.add(conn, own.provider, own.model, own.dimensions)

    async def _embed_query(self, space: Space, query: str) -> QueryVector:
        embedder = await self._embedders.for_space(space)
        vector = Vector(await embedder.embed_query(query))
        return QueryVector(space.id, vector, provider=space.provider)

    async def _embed_due(self, database: Database, space: Space) -> bool:
        """Embed one batch, the newest first; whether nothing is left, in any space."""
        embedder = await self._embedders.for_space(space)
        await prepare(database, space)
        target = EmbeddingTarget(database, space, embedder)
        count = await embed_batch(target, limit=self._batch)
        self._queries.end_outage(space.provider)
        return count < self._batch and len(await self._spaces.of(database)) == 1
