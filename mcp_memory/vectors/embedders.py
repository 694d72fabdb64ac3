"""The embedders of one process, and the vector spaces that its databases have for them."""

from dataclasses import replace
from typing import cast, get_args
from weakref import WeakKeyDictionary

import anyio

from mcp_memory.errors import DimensionMismatch, EmbeddingUnavailable, InvalidInput, nearest
from mcp_memory.postgres.session import Database
from mcp_memory.vectors.providers.base import Embedder, EmbeddingSettings, Provider
from mcp_memory.vectors.providers.factory import open_embedder
from mcp_memory.vectors.providers.minilm_files import default_model_dir, is_installed
from mcp_memory.vectors.spaces import Space, read_spaces

# What `auto` may find in a database and go on with; neither asks anybody else's machine.
_LOCAL = ("hashing", "minilm")
_PROVIDERS = tuple(str(name) for name in get_args(Provider) if name != "auto")


class Embedders:
    """Which models this process can embed with; each is opened at its first use and stays warm."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        self.settings = settings
        self.configured = open_embedder(settings)
        self._others: dict[EmbeddingSettings, Embedder] = {}

    async def own(self) -> Embedder:
        """The configured embedder, its dimensions known; raises when it does not answer."""
        await self.configured.open()
        return self.configured

    def serves(self, space: Space) -> bool:
        """Whether filling the space is this process's work."""
        if self.settings.provider == "auto" and space.provider == "minilm":
            return is_installed(self.settings.model_dir or default_model_dir())
        return self._is_auto_for(space) or self._is_configured(space)

    def require(self, space: Space) -> Embedder:
        """The embedder whose vectors belong into the space, cold, by the rule of the settings.

        Under `auto` a database goes on with the local model it began with, also where a better
        one is installed by now. Any other provider is only itself: spaces are never mixed, and
        `EmbeddingUnavailable` says so.
        """
        if self._is_auto_for(space):
            return self._of(space)
        if self._is_configured(space):
            return self.configured
        own = f"{self.configured.provider}/{self.configured.model}"
        raise EmbeddingUnavailable(
            space.provider,
            f"the vectors of this database are of {space.label}, and this process is configured"
            f" for {own}; compare `mcp-memory embeddings status`",
        )

    async def for_space(self, space: Space) -> Embedder:
        """The embedder of `require`, warm; `DimensionMismatch` where its vectors do not fit."""
        return await _warm(self.require(space), space)

    async def of_space(self, space: Space) -> Embedder:
        """The embedder of the space's model, configured or not; for a person who asks for it."""
        return await _warm(self._of(space), space)

    async def find(self, name: str) -> Embedder:
        """The embedder called `minilm`, `hashing`, `openai/NAME`, `sentence-transformers/NAME`."""
        provider, _, model = name.partition("/")
        if provider not in _PROVIDERS:
            hint = nearest(provider, _PROVIDERS)
            raise InvalidInput("model", f"{name!r} is none of {', '.join(_PROVIDERS)}.{hint}")
        embedder = self._open_named(provider, model or None)
        await embedder.open()
        return embedder

    async def aclose(self) -> None:
        """Free every model."""
        for embedder in (self.configured, *self._others.values()):
            await embedder.aclose()

    def _is_auto_for(self, space: Space) -> bool:
        return self.settings.provider == "auto" and space.provider in _LOCAL

    def _is_configured(self, space: Space) -> bool:
        return (space.provider, space.model) == (self.configured.provider, self.configured.model)

    def _of(self, space: Space) -> Embedder:
        dimensions = space.dimensions if space.provider == "hashing" else None
        embedder = self._open_named(space.provider, space.model, dimensions=dimensions)
        if embedder.model != space.model:
            raise EmbeddingUnavailable(space.provider, f"it has {embedder.model}, not {space.name}")
        return embedder

    def _open_named(
        self, provider: str, model: str | None, *, dimensions: int | None = None
    ) -> Embedder:
        """The configured embedder if it is that one, else one opened with the same settings.

        Dimensions and prefixes are left out: they were configured for another model.
        """
        own = self.configured
        is_own_model = provider == own.provider and model in (None, own.model)
        if is_own_model and (dimensions is None or dimensions == own.dimensions):
            return own
        settings = replace(
            self.settings,
            provider=cast("Provider", provider),
            model=None if provider in _LOCAL else model,
            dimensions=dimensions,
            query_prefix=None,
            document_prefix=None,
        )
        if settings not in self._others:
            self._others[settings] = open_embedder(settings)
        return self._others[settings]


async def _warm(embedder: Embedder, space: Space) -> Embedder:
    """The embedder, warm, its vectors as long as the space's."""
    await embedder.open()
    if embedder.dimensions != space.dimensions:
        raise DimensionMismatch(space.model, space.dimensions, embedder.dimensions)
    return embedder


# Shorter than the three seconds that dropping a space waits (see the class).
_FRESH_SECONDS = 2.0


class SpaceCache:
    """Each database's spaces, at most two seconds old.

    An old answer is safe. After a switch the space before is still full and still filled, and a
    search embeds its query and looks for chunks in one and the same space, whichever it is. A
    space cannot change its model, and ids are never given twice. Only dropping it takes vectors
    away: that is refused while it is active, and waits three seconds after a switch
    (`drop_vector_space`), when nobody takes it for the active one any more.
    """

    def __init__(self) -> None:
        self._entries: WeakKeyDictionary[Database, tuple[float, list[Space]]] = WeakKeyDictionary()

    async def of(self, database: Database) -> list[Space]:
        """The database's spaces, oldest first."""
        until, spaces = self._entries.get(database, (0.0, []))
        # The age counts from before the reading, or a switch could hide behind a slow answer.
        now = anyio.current_time()
        if spaces and now < until:
            return spaces
        async with database.maintaining() as conn:
            spaces = await read_spaces(conn)
        self._entries[database] = (now + _FRESH_SECONDS, spaces)
        return spaces

    async def active(self, database: Database) -> Space | None:
        """The space that searches use; None before there is any."""
        return next((space for space in await self.of(database) if space.state == "active"), None)

    def forget(self, database: Database) -> None:
        """Ask again next time: this process has changed something."""
        self._entries.pop(database, None)
