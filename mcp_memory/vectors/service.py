"""The rules of vector spaces: one is active, this process fills those it has the model of."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar
from weakref import WeakSet

import anyio

from mcp_memory.errors import EmbeddingError, EmbeddingUnavailable, McpMemoryError
from mcp_memory.postgres.connection import Vector
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database, Session
from mcp_memory.vectors import spaces
from mcp_memory.vectors.administration import Administration
from mcp_memory.vectors.embedders import Embedders, SpaceCache
from mcp_memory.vectors.spaces import QueryVector, Space
from mcp_memory.vectors.worker import EmbeddingTarget, Worker, embed_batch, prepare

Result = TypeVar("Result")

# How long a provider that did not answer is left alone.
_REST_SECONDS = 5.0


class BoundedTasks:
    """Runs embedding for whoever waits, and spares them a wait that is known to be in vain.

    A model that loads, or a thread that computes, cannot be interrupted. So each piece of work
    has a task of its own: a search that is cancelled or out of patience leaves at once, and the
    task ends by itself. While `max_overdue` of them have outlived their patience, or for some
    seconds after a provider did not answer, nobody waits at all. `aclose` ends what is still under
    way.
    """

    def __init__(self, *, patience_seconds: float, max_overdue: int) -> None:
        self._patience_seconds, self._max_overdue = patience_seconds, max_overdue
        self._running: set[asyncio.Task[None]] = set()
        self._overdue: set[asyncio.Task[None]] = set()
        self._outages: dict[str, tuple[EmbeddingUnavailable, float]] = {}

    async def run(self, provider: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work` returns; `EmbeddingUnavailable` when it takes too long, now or lately."""
        self._refuse_in_vain(provider)
        results: list[Result] = []
        task = self._begin(work, results)
        try:
            await asyncio.wait([task], timeout=self._patience_seconds)
        finally:
            if not task.done():
                self._overdue.add(task)
        if not task.done() or task.cancelled():
            reason = f"no answer within {self._patience_seconds:g} s; it goes on in the background"
            raise EmbeddingUnavailable(provider, reason)
        try:
            task.result()
        except EmbeddingUnavailable as exc:
            self._outages[provider] = (exc, anyio.current_time() + _REST_SECONDS)
            raise
        return results[0]

    def end_outage(self, provider: str) -> None:
        """Forget that the provider did not answer: somebody just had its answer."""
        self._outages.pop(provider, None)

    async def aclose(self) -> None:
        """Cancel every task and wait until it has cleaned up."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _begin(
        self, work: Callable[[], Awaitable[Result]], results: list[Result]
    ) -> asyncio.Task[None]:
        async def collect() -> None:
            results.append(await work())

        task = asyncio.ensure_future(collect())
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    def _refuse_in_vain(self, provider: str) -> None:
        problem, until = self._outages.get(provider, (None, 0.0))
        if problem is not None and anyio.current_time() < until:
            raise problem.with_traceback(None)
        if len(self._overdue) >= self._max_overdue:
            raise EmbeddingUnavailable(provider, "it is still busy with what was asked before")

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._overdue.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waited has it, or has left


# How long a search waits for its query's vector, and a write for those of its text.
_PATIENCE_SECONDS = 2.0
# Larger batches gain nothing while somebody waits for the first of them.
_BATCH = 64

logger = logging.getLogger(__name__)


class Spaces:
    """The vector spaces of every named database, filled with this process's models."""

    def __init__(self, databases: Databases, embedders: Embedders, *, batch_size: int) -> None:
        self._embedders = embedders
        self._batch = min(batch_size, _BATCH)
        self._spaces = SpaceCache()
        self._worker = Worker(databases, embedders, self._spaces, batch=self._batch)
        self.administration = Administration(embedders, self._spaces)
        self._queues_seen: WeakSet[Database] = WeakSet()
        self._with_space: WeakSet[Database] = WeakSet()
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
                self._worker.woken.set()
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
            self._worker.woken.set()

    async def follow_later(self, database: Database) -> None:
        """After a write that does not wait for its vectors: the worker sees to them at once."""
        if database not in self._with_space and not await self._has_space(database):
            await self.follow(database)
        else:
            self._worker.woken.set()

    async def _has_space(self, database: Database) -> bool:
        """Whether a space is active, or may be: one that is, is only ever replaced by another."""
        try:
            is_there = await self._spaces.active(database) is not None
        except McpMemoryError as exc:
            logger.info("vectors follow later: %s", exc)
            return True
        if is_there:
            self._with_space.add(database)
        return is_there

    async def pending(self, session: Session) -> int:
        """How many of the agent's chunks wait for their vector."""
        async with session.reading() as conn:
            return await spaces.pending(conn)

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
            self._worker.woken.set()

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
            await spaces.add(conn, own.provider, own.model, own.dimensions)

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
