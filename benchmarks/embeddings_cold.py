"""One search in a fresh process, phase by phase; imported by `benchmarks.embeddings`' child."""

import time

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.search.kinds import SearchRequest
from mcp_memory.vectors.embedders import Embedders

AGENT = "bench"
QUERY = "when did she go to the support group?"


async def main(url: str, model_dir: str, phases: dict[str, float], since: float) -> None:
    """Fill in how long each phase took, in seconds; what is left over is `rest`."""
    config = Config.model_validate(
        {
            "database": {"url": url},
            "embeddings": {"provider": "minilm", "model_dir": model_dir},
        }
    )

    def lap(name: str) -> None:
        nonlocal since
        now = time.time()
        phases[name], since = now - since, now

    async with open_app(config) as app:
        lap("open the app")
        database = await app.databases.reading(None, AGENT)
        lap("connect and check migrations")
        embedders: Embedders = app.spaces.embedders
        model = await embedders.own()
        lap("load the model")
        await model.embed_query(QUERY)
        lap("embed the query")
        await app.search.passages(app.session(AGENT), SearchRequest(QUERY, sources=("graph",)))
        assert database.name
        lap("search: spaces, query again, SQL")
    lap("close")
