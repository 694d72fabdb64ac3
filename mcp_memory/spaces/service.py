"""The rules of vector spaces: one is active, this process fills those it has the model of."""

import logging
from dataclasses import dataclass
from functools import partial

import anyio

from mcp_memory.db.cancellation import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.db.vectors import Vector
from mcp_memory.embeddings.base import Embedder
from mcp_memory.errors import EmbeddingError, EmbeddingUnavailable, McpMemoryError
from mcp_memory.spaces import store
from mcp_memory.spaces.embedders import Embedders
from mcp_memory.spaces.models import Space, SpaceStatus
from mcp_memory.spaces.queue import work_once

# How long a write waits for its own vectors, and a search for that of its query.
_PATIENCE_SECONDS = 2.0
_BATCH = 64
_FIRST_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query as a vector of the active space, or why there is none."""

    space_id: int = 0
    vector: Vector | None = None
    problem: str = ""


class Spaces:
    """The vector spaces of every named database, filled with this process's models."""

    def __init__(self, databases: Databases, embedders: Embedders, *, batch_size: int) -> None:
        self._databases, self._embedders = databases, embedders
        self._batch = min(batch_size, _BATCH)
        self._wake = anyio.Event()

    async def query_vector(self, database: Database, query: str) -> QueryVector:
        """The query in the active space; a problem in words when it cannot be had in time."""
        try:
            with anyio.fail_after(_PATIENCE_SECONDS):
                space = await self._active(database)
                embedder = await self._embedder_of(space)
                row = await embedder.embed_query(query)
        except TimeoutError:
            return QueryVector(problem="semantic search: the embedding provider took too long")
        except EmbeddingError as exc:
            return QueryVector(problem=f"semantic search: {exc}")
        return QueryVector(space.id, Vector(row))

    async def follow(self, database: Database) -> None:
        """After a write: embed what is due now, if it goes quickly; the rest is the worker's."""
        try:
            with anyio.fail_after(_PATIENCE_SECONDS):
                space = await self._active(database)
                embedder = await self._embedder_of(space)
                await work_once(database, space, embedder, limit=self._batch)
        except (EmbeddingError, TimeoutError) as exc:
            logger.info("vectors follow later: %s", exc or "the provider took too long")
        self._wake.set()

    async def pending(self, agent: str, *, database: str | None = None) -> int:
        """How many of the agent's chunks wait for their vector."""
        chosen = await self._databases.reading(database, agent)
        return await chosen.read(agent, store.pending)

    async def active(self, agent: str, *, database: str | None = None) -> Space | None:
        """The space that searches in the database use; None before there is any."""
        chosen = await self._databases.reading(database, agent)
        found = await chosen.maintain(store.spaces)
        return next((space for space in found if space.state == "active"), None)

    async def status(self, agent: str, *, database: str | None = None) -> list[SpaceStatus]:
        """Every space of the database and how full it is."""
        chosen = await self._databases.reading(database, agent)

        async def work(conn: Connection) -> list[SpaceStatus]:
            return [await store.status(conn, space) for space in await store.spaces(conn)]

        return await chosen.maintain(work)

    async def add(self, agent: str, *, database: str | None = None) -> Space:
        """The space of this process's configured model, made when it is new."""
        chosen = await self._databases.writing(database, agent)
        return await self._registered(chosen, await self._embedders.own())

    async def activate(self, agent: str, space: Space, *, database: str | None = None) -> None:
        """Let searches use this space from now on; the one before goes on being filled."""
        chosen = await self._databases.writing(database, agent)
        await chosen.maintain(partial(store.activate, space_id=space.id))

    async def drop(self, agent: str, space: Space, *, database: str | None = None) -> None:
        """Remove a space and its vectors; the active one stays."""
        if space.state == "active":
            raise McpMemoryError(f"{space.label} is active. Activate another space first.")
        chosen = await self._databases.writing(database, agent)
        await chosen.maintain(partial(store.drop, space_id=space.id))

    async def fill(
        self, agent: str, *, database: str | None = None, retry_failed: bool = False
    ) -> int:
        """Embed everything that is due in the spaces this process has the model of; how many."""
        chosen = await self._databases.writing(database, agent)
        done = 0
        for space in await self._spaces(chosen):
            if (embedder := await self._embedders.for_space(space)) is None:
                continue
            await chosen.maintain(partial(store.queue_missing, space_id=space.id))
            if retry_failed:
                await chosen.maintain(partial(store.retry_failed, space_id=space.id))
            done += await self._drain(chosen, space, embedder)
        return done

    async def run_worker(self) -> None:
        """Work the queues of all open databases until cancelled; woken by writes, and slowly by
        time, for what other processes left behind."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            went_well = True
            for database in self._databases.opened():
                went_well &= await self._work(database)
            pause = _FIRST_PAUSE_SECONDS if went_well else min(pause * 2, _LONGEST_PAUSE_SECONDS)
            with anyio.move_on_after(_LONGEST_PAUSE_SECONDS if went_well else pause):
                await self._wake.wait()
            self._wake = anyio.Event()

    async def _work(self, database: Database) -> bool:
        """Drain the database's queues; False when something was in the way."""
        try:
            for space in await self._spaces(database):
                if (embedder := await self._embedders.for_space(space)) is not None:
                    await self._drain(database, space, embedder)
        except McpMemoryError as exc:
            logger.warning("vectors of %s wait: %s", database.name, exc)
            return False
        except Exception:  # the worker must survive whatever one database does to it
            logger.exception("vectors of %s wait", database.name)
            return False
        return True

    async def _drain(self, database: Database, space: Space, embedder: Embedder) -> int:
        done = 0
        while taken := await work_once(database, space, embedder, limit=self._batch):
            done += taken
        return done

    async def _embedder_of(self, space: Space) -> Embedder:
        embedder = await self._embedders.for_space(space)
        if embedder is None:
            raise EmbeddingUnavailable(
                self._embedders.configured.provider,
                f"this database's vectors are of {space.label}, which this process does not have;"
                " see `mcp-memory embeddings status`",
            )
        return embedder

    async def _active(self, database: Database) -> Space:
        """The active space; the first process to need one makes its own model's."""
        for space in await self._spaces(database):
            if space.state == "active":
                return space
        return await self._registered(database, await self._embedders.own())

    async def _registered(self, database: Database, embedder: Embedder) -> Space:
        async def work(conn: Connection) -> list[Space]:
            space_id = await store.add(conn, embedder.provider, embedder.model, embedder.dimensions)
            await store.activate_first(conn, space_id)
            return [space for space in await store.spaces(conn) if space.id == space_id]

        return (await database.maintain(work))[0]

    async def _spaces(self, database: Database) -> list[Space]:
        return await database.maintain(store.spaces)
