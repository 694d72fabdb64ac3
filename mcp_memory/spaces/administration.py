"""Changing the model of a database: a space is added, filled, compared, activated, dropped.

The old space serves until the new one is activated, and goes on being filled after, so that going
back loses nothing. These are for a person: the rules of the configuration do not hold here, any
model whose provider can be opened may be used.
"""

from collections.abc import Callable, Sequence
from functools import partial

from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.db.vectors import Vector
from mcp_memory.errors import Conflict, EmbeddingError, SpaceNotFound
from mcp_memory.spaces import filling, store
from mcp_memory.spaces.embedders import Embedders
from mcp_memory.spaces.known import KnownSpaces
from mcp_memory.spaces.models import Comparison, Space, SpaceStatus
from mcp_memory.spaces.queue import store as queue
from mcp_memory.spaces.queue.work import Filler

_FIRST_BATCH = 64
_COMPARED = 10

Progress = Callable[[int, int], None]


class Administration:
    """The spaces of each named database, as `mcp-memory embeddings` works on them."""

    def __init__(self, databases: Databases, embedders: Embedders, known: KnownSpaces) -> None:
        self._databases, self._embedders, self._known = databases, embedders, known

    @property
    def own_model(self) -> str:
        """What the settings come to on this machine, such as `minilm/all-MiniLM-L6-v2`."""
        own = self._embedders.configured
        return f"{own.provider}/{own.model}"

    async def status(self, agent: str, *, database: str | None = None) -> list[SpaceStatus]:
        """Every space of the database and how full it is."""
        chosen = await self._databases.reading(database, agent)

        async def read_status(conn: Connection) -> list[SpaceStatus]:
            return [await store.status(conn, space) for space in await store.spaces(conn)]

        return await chosen.maintain(read_status)

    async def find(self, agent: str, name: str, *, database: str | None = None) -> Space:
        """The space of that id, `provider/model`, provider or model; `SpaceNotFound` if unclear."""
        chosen = await self._databases.reading(database, agent)
        spaces = await chosen.maintain(store.spaces)
        found = [space for space in spaces if name in _names(space)]
        if len(found) != 1:
            raise SpaceNotFound(name, [f"{space.id} = {space.label}" for space in spaces])
        return found[0]

    async def add(self, agent: str, model: str, *, database: str | None = None) -> Space:
        """The space of the model called `model`, with all chunks queued; it may be there already.

        Its dimensions are asked of the provider first: nothing is written when that fails.
        """
        embedder = await self._embedders.named(model)
        chosen = await self._databases.writing(database, agent)
        add = partial(
            store.add,
            provider=embedder.provider,
            model=embedder.model,
            dimensions=embedder.dimensions,
        )
        space = await self._one(chosen, await chosen.maintain(add))
        if space.state == "dropping":
            raise Conflict(f"{space.label} is being dropped. Drop it again to finish that first.")
        await filling.prepare(chosen, space)
        self._known.forget(chosen)
        return space

    async def fill(
        self,
        agent: str,
        space: Space,
        *,
        database: str | None = None,
        retry_failed: bool = False,
        progress: Progress = lambda done, total: None,
    ) -> int:
        """Embed everything the space lacks; how many chunks. `progress(done, total)` hears of it.

        With `retry_failed` also what was set aside. What fails again is set aside again.
        """
        chosen = await self._databases.writing(database, agent)
        embedder = await self._embedders.of_space(space)
        await filling.queue_all_missing(chosen, space)
        if retry_failed:
            await chosen.maintain(partial(queue.retry_failed, space_id=space.id))
        total = await chosen.maintain(partial(queue.waiting, space_id=space.id))
        done = 0

        def on_done(count: int) -> None:
            nonlocal done
            done += count
            progress(done, max(done, total))

        progress(0, total)
        return await filling.fill(
            Filler(chosen, space, embedder), batch=_FIRST_BATCH, on_done=on_done
        )

    async def activate(
        self, agent: str, space: Space, *, database: str | None = None, force: bool = False
    ) -> None:
        """Let searches use this space from now on, in every process.

        Refused while it is not full, unless forced: searches would miss what it lacks. Chunks
        that were set aside do not count.
        """
        chosen = await self._databases.writing(database, agent)
        await filling.prepare(chosen, space)
        now = await chosen.maintain(partial(store.status, space=space))
        if now.pending and not force:
            raise Conflict(
                f"{space.label} still lacks {now.pending} of {now.vectors + now.pending} vectors;"
                " the active space serves until then. Run `mcp-memory embeddings backfill`."
            )
        if not await chosen.maintain(partial(store.activate, space_id=space.id)):
            raise Conflict(f"{space.label} is being dropped, or gone. Add it again.")
        self._known.forget(chosen)

    async def drop(self, agent: str, space: Space, *, database: str | None = None) -> None:
        """Remove a space and its vectors; never the active one. Can be repeated after a crash."""
        chosen = await self._databases.writing(database, agent)
        if not await chosen.maintain(partial(store.retire, space_id=space.id)):
            raise Conflict(f"{space.label} is active. Activate another space first.")
        self._known.forget(chosen)
        while await chosen.maintain(partial(store.drop_some, space_id=space.id)):
            pass

    async def past_queries(
        self, agent: str, count: int, *, database: str | None = None
    ) -> Sequence[str]:
        """Stand-ins for past queries, which nobody keeps: first lines of the agent's chunks."""
        chosen = await self._databases.reading(database, agent)
        return await chosen.read(agent, partial(store.sample_lines, limit=count))

    async def compare(
        self, agent: str, space: Space, queries: Sequence[str], *, database: str | None = None
    ) -> list[Comparison]:
        """How much this space's ten nearest have in common with the active one's, by query."""
        chosen = await self._databases.reading(database, agent)
        active = await self._known.active(chosen)
        if active is None:
            raise SpaceNotFound("active", [])
        compared: list[Comparison] = []
        for query in queries:
            old = await self._nearest(chosen, agent, active, query)
            new = await self._nearest(chosen, agent, space, query)
            compared.append(Comparison(query, len(old & new), max(len(old), len(new))))
        return compared

    async def unusable(self, agent: str, *, database: str | None = None) -> str:
        """Why searches of this process go without vectors in the database; empty when they don't.

        Opens the model, as a search would.
        """
        active = await self._known.active(await self._databases.reading(database, agent))
        try:
            if active is None:
                await self._embedders.own()
            else:
                await self._embedders.for_space(active)
        except EmbeddingError as exc:
            return str(exc)
        return ""

    async def _nearest(self, chosen: Database, agent: str, space: Space, query: str) -> set[int]:
        embedder = await self._embedders.of_space(space)
        vector = Vector(await embedder.embed_query(query))
        nearest = partial(store.nearest, space_id=space.id, vector=vector, limit=_COMPARED)
        return set(await chosen.read(agent, nearest))

    async def _one(self, chosen: Database, space_id: int) -> Space:
        spaces = await chosen.maintain(store.spaces)
        return next(space for space in spaces if space.id == space_id)


def _names(space: Space) -> set[str]:
    return {str(space.id), space.provider, space.model, space.name, space.label}
