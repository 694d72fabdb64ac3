"""Changing the model of a database: a space is added, filled, compared, activated, dropped.

The old space serves until the new one is activated, and goes on being filled after, so that going
back loses nothing. These are for a person: the rules of the configuration do not hold here, any
model whose provider can be opened may be used.
"""

from collections.abc import Callable, Sequence

from mcp_memory.errors import Conflict, EmbeddingError, SpaceNotFound
from mcp_memory.postgres.connection import Vector
from mcp_memory.postgres.session import Session
from mcp_memory.vectors import queue, worker
from mcp_memory.vectors import spaces as spaces_of
from mcp_memory.vectors.embedders import Embedders, SpaceCache
from mcp_memory.vectors.spaces import Comparison, Space, SpaceStatus
from mcp_memory.vectors.worker import EmbeddingTarget

# It grows while batches are quick (`queue.drain.next_size`).
_FIRST_BATCH = 64
# How many passages a page of results has: what they share of them is told.
_NEAREST = 10

Progress = Callable[[int, int], None]


class Administration:
    """The spaces of each named database, as `mcp-memory embeddings` works on them."""

    def __init__(self, embedders: Embedders, spaces: SpaceCache) -> None:
        self._embedders, self._spaces = embedders, spaces

    @property
    def own_model(self) -> str:
        """What the settings come to on this machine, such as `minilm/all-MiniLM-L6-v2`."""
        own = self._embedders.configured
        return f"{own.provider}/{own.model}"

    async def status(self, session: Session) -> list[SpaceStatus]:
        """Every space of the database and how full it is."""
        async with session.maintaining() as conn:
            return [
                await spaces_of.status(conn, space) for space in await spaces_of.read_spaces(conn)
            ]

    async def find(self, session: Session, name: str) -> Space:
        """The space of that id, `provider/model`, provider or model; `SpaceNotFound` if unclear."""
        async with session.maintaining() as conn:
            spaces = await spaces_of.read_spaces(conn)
        matches = [space for space in spaces if name in _names(space)]
        if len(matches) != 1:
            raise SpaceNotFound(name, [f"{space.id} = {space.label}" for space in spaces])
        return matches[0]

    async def add(self, session: Session, model: str) -> Space:
        """The space of the model called `model`, with all chunks queued; it may be there already.

        Its dimensions are asked of the provider first: nothing is written when that fails.
        """
        embedder = await self._embedders.find(model)
        database = await session.open(create=True)
        async with database.maintaining() as conn:
            own = embedder.provider, embedder.model, embedder.dimensions
            space_id = await spaces_of.add(conn, *own)
            space = next(
                space for space in await spaces_of.read_spaces(conn) if space.id == space_id
            )
        if space.state == "dropping":
            raise Conflict(f"{space.label} is being dropped. Drop it again to finish that first.")
        await worker.prepare(database, space)
        self._spaces.forget(database)
        return space

    async def embed_due(
        self,
        session: Session,
        space: Space,
        *,
        retry_failed: bool = False,
        progress: Progress = lambda done, total: None,
    ) -> int:
        """Embed everything the space lacks; how many chunks. `progress(done, total)` hears of it.

        With `retry_failed` also what was set aside. What fails again is set aside again.
        """
        database = await session.open(create=True)
        embedder = await self._embedders.of_space(space)
        await worker.queue_all_missing(database, space)
        async with database.maintaining() as conn:
            if retry_failed:
                await queue.retry_failed(conn, space.id)
            total = await queue.waiting(conn, space.id)
        done = 0

        def on_done(count: int) -> None:
            nonlocal done
            done += count
            progress(done, max(done, total))

        progress(0, total)
        target = EmbeddingTarget(database, space, embedder)
        return await worker.embed_due(target, batch=_FIRST_BATCH, on_done=on_done)

    async def activate(self, session: Session, space: Space, *, force: bool = False) -> None:
        """Let searches use this space from now on, in every process.

        Refused while it is not full, unless forced: searches would miss what it lacks. Chunks
        that were set aside do not count.
        """
        database = await session.open(create=True)
        await worker.prepare(database, space)
        async with database.maintaining() as conn:
            now = await spaces_of.status(conn, space)
        if now.pending and not force:
            raise Conflict(
                f"{space.label} still lacks {now.pending} of {now.vectors + now.pending} vectors;"
                " the active space serves until then. Run `mcp-memory embeddings backfill`."
            )
        async with database.maintaining() as conn:
            is_active = await spaces_of.activate(conn, space.id)
        if not is_active:
            raise Conflict(f"{space.label} is being dropped, or gone. Add it again.")
        self._spaces.forget(database)

    async def drop(self, session: Session, space: Space) -> None:
        """Remove a space and its vectors; never the active one. Can be repeated after a crash."""
        database = await session.open(create=True)
        async with database.maintaining() as conn:
            is_retired = await spaces_of.retire(conn, space.id)
        if not is_retired:
            raise Conflict(f"{space.label} is active. Activate another space first.")
        self._spaces.forget(database)
        is_left = True
        while is_left:
            async with database.maintaining() as conn:
                is_left = await spaces_of.drop_some(conn, space.id)

    async def past_queries(self, session: Session, count: int) -> Sequence[str]:
        """Stand-ins for past queries, which nobody keeps: first lines of the agent's chunks."""
        async with session.reading() as conn:
            return await spaces_of.sample_lines(conn, count)

    async def compare(
        self, session: Session, space: Space, queries: Sequence[str]
    ) -> list[Comparison]:
        """How much this space's ten nearest have in common with the active one's, by query."""
        active = await self._spaces.active(await session.open())
        if active is None:
            raise SpaceNotFound("active", [])
        comparisons: list[Comparison] = []
        for query in queries:
            old = await self._nearest(session, active, query)
            new = await self._nearest(session, space, query)
            comparisons.append(Comparison(query, len(old & new), max(len(old), len(new))))
        return comparisons

    async def problem(self, session: Session) -> str:
        """Why searches of this process go without vectors in the database; empty when they don't.

        Opens the model, as a search would.
        """
        active = await self._spaces.active(await session.open())
        try:
            if active is None:
                await self._embedders.own()
            else:
                await self._embedders.for_space(active)
        except EmbeddingError as exc:
            return str(exc)
        return ""

    async def _nearest(self, session: Session, space: Space, query: str) -> set[int]:
        embedder = await self._embedders.of_space(space)
        vector = Vector(await embedder.embed_query(query))
        async with session.reading() as conn:
            return set(await spaces_of.nearest(conn, space.id, vector, _NEAREST))


def _names(space: Space) -> set[str]:
    return {str(space.id), space.provider, space.model, space.name, space.label}
