"""A worker in a process of its own, for a test to kill; arguments: database, endpoint."""

import sys

import anyio

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.vectors.embedders import Embedders
from mcp_memory.vectors.worker import EmbeddingTarget, embed_batch
from tests.spaces.queue.settings import settings_for


async def main(database_url: str, base_url: str) -> None:
    config = Config.model_validate(
        {"database": {"url": database_url}, "embeddings": {"provider": "hashing"}}
    )
    async with open_app(config) as app:
        database = await app.databases.writing(None, "worker")
        [status] = await app.spaces.administration.status(app.session("worker"))
        embedder = await Embedders(settings_for(base_url)).own()
        target = EmbeddingTarget(database, status.space, embedder, lease_seconds=1)
        await embed_batch(target, limit=10)


anyio.run(main, sys.argv[1], sys.argv[2])
