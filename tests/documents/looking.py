"""What the tests of documents look at: search, and rows as the worker sees them."""

from dataclasses import dataclass, replace
from typing import LiteralString

import anyio

from mcp_memory.app import App
from mcp_memory.memory.documents.models import WriteDocument, WriteReceipt
from mcp_memory.search.kinds import SearchRequest


async def write(app: App, agent: str, path: str, content: str) -> WriteReceipt:
    """Replace the agent's document of that path."""
    return await app.documents.write(
        app.session(agent), WriteDocument(path, content, mode="replace")
    )


async def found(app: App, agent: str, query: str) -> list[str]:
    """The paths that a search gives, best first."""
    answer = await app.search.passages(app.session(agent), SearchRequest(query, max_results=100))
    return [result.path for result in answer.results]


def settled(written: WriteReceipt) -> WriteReceipt:
    """What was written, whether or not the vectors have followed by now."""
    return replace(written, pending_embeddings=0)


async def until_embedded(app: App) -> None:
    """Return when every chunk has its vector, and the space is ready."""
    with anyio.fail_after(10):
        while await rows(app, _WITHOUT_VECTOR):  # noqa: ASYNC110 - rows tell no event
            await anyio.sleep(0.01)


_WITHOUT_VECTOR = """
SELECT id
FROM chunks
WHERE id NOT IN (SELECT chunk_id FROM vectors)
UNION ALL
SELECT id
FROM vector_spaces
WHERE NOT prepared
"""


async def rows(app: App, statement: LiteralString) -> list[tuple[object, ...]]:
    """What the worker reads, who sees every agent's rows."""
    database = await app.databases.writing(None, "tester")

    async with database.maintaining() as conn:
        return await (await conn.execute(statement)).fetchall()


async def change(app: App, statement: LiteralString, **parameters: object) -> None:
    """Change rows behind the services' backs, as the worker."""
    database = await app.databases.writing(None, "tester")

    async with database.maintaining() as conn:
        await conn.execute(statement, parameters or None)


@dataclass(frozen=True, slots=True)
class ChunkRow:
    """A chunk and its place."""

    id: int
    start_line: int
    end_line: int
    text: str


async def chunks(app: App) -> list[ChunkRow]:
    """Every chunk of the database in the order of its document."""
    found_rows = await rows(
        app, "SELECT id, start_line, end_line, text FROM chunks ORDER BY document_id, position"
    )
    return [
        ChunkRow(int(str(id)), int(str(start)), int(str(end)), str(text))
        for id, start, end, text in found_rows
    ]
