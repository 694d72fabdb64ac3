"""What a test looks at: counts of rows as the worker sees them, and waiting for one."""

from collections.abc import Awaitable, Callable

import anyio

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.database import Database
from mcp_memory.search.kinds import SearchAnswer, SearchRequest
from mcp_memory.vectors.spaces import SpaceStatus

AGENT = "tester"

_COUNTS = """
SELECT (SELECT count(*) FROM chunks),
       (SELECT count(*) FROM vectors),
       (SELECT count(*) FROM vector_jobs),
       (SELECT count(*) FROM vector_spaces)
"""


async def database_of(app: App) -> Database:
    return await app.databases.writing(None, AGENT)


async def counts(app: App) -> tuple[int, int, int, int]:
    """Chunks, vectors, jobs, spaces."""

    async with (await database_of(app)).maintaining() as conn:
        row = await (await conn.execute(_COUNTS)).fetchone()
        assert row is not None
        return int(row[0]), int(row[1]), int(row[2]), int(row[3])


async def write(app: App, path: str, text: str, *, agent: str = AGENT) -> int:
    """Write the document; how many of its vectors are still to come."""
    request = WriteDocument(path, text, mode="replace")
    return (await app.documents.write(app.session(agent), request)).pending_embeddings


async def search(app: App, query: str, *, agent: str = AGENT) -> SearchAnswer:
    return await app.search.passages(app.session(agent), SearchRequest(query, min_score=0.0))


async def paths(app: App, query: str) -> set[str]:
    return {result.path for result in (await search(app, query)).results}


async def status(app: App) -> list[SpaceStatus]:
    return await app.spaces.administration.status(app.session(AGENT))


async def until(is_so: Callable[[], Awaitable[object]], *, seconds: float = 30) -> None:
    """Return once it is so: something true comes back."""
    with anyio.fail_after(seconds):
        while not await is_so():  # noqa: ASYNC110 - a row of a table sends no event
            await anyio.sleep(0.02)


async def until_full(app: App) -> None:
    """Return once no chunk of the agent waits for its vector."""

    async def is_full() -> bool:
        return await app.spaces.pending(app.session(AGENT)) == 0

    await until(is_full)
