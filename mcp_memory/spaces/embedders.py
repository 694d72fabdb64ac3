"""The embedders of one process: the configured one, and those that `auto` may fall back on."""

from dataclasses import replace

from mcp_memory.embeddings.base import Embedder, EmbeddingSettings
from mcp_memory.embeddings.factory import open_embedder
from mcp_memory.spaces.models import Space


class Embedders:
    """Which model this process can embed with; each is opened at its first use and stays warm."""

    def __init__(self, settings: EmbeddingSettings) -> None:
        self._settings = settings
        self.configured = open_embedder(settings)
        self._others: dict[str, Embedder] = {}

    async def own(self) -> Embedder:
        """The configured embedder, its dimensions known; raises when it does not answer."""
        await self.configured.open()
        return self.configured

    async def for_space(self, space: Space) -> Embedder | None:
        """The embedder whose vectors belong into the space; None when this process has none.

        Under `auto` a database that began with `hashing` goes on with it, also where a better
        model is installed by now: spaces are never mixed.
        """
        if space.provider == "hashing" and self._settings.provider == "auto":
            return self._hashing()
        if (space.provider, space.model) != (self.configured.provider, self.configured.model):
            return None
        own = await self.own()
        return own if own.dimensions == space.dimensions else None

    async def aclose(self) -> None:
        """Free every model."""
        for embedder in (self.configured, *self._others.values()):
            await embedder.aclose()

    def _hashing(self) -> Embedder:
        if self.configured.provider == "hashing":
            return self.configured
        if "hashing" not in self._others:
            settings = replace(self._settings, provider="hashing", model=None)
            self._others["hashing"] = open_embedder(settings)
        return self._others["hashing"]
