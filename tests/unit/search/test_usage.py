"""Usage is counted beside what is read: nothing of that changes, and no count is lost."""

from typing import LiteralString

import anyio
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.search.kinds import SearchRequest
from tests.fixtures.queries import rows, until_embedded

COUNTS = "SELECT agent_id, returned, fetched FROM chunk_usage ORDER BY agent_id"
EVERYTHING_READ = """
SELECT c.xmin::text, c.xmax::text, to_jsonb(c)::text, d.xmin::text, d.xmax::text, d.updated_at
FROM chunks c JOIN documents d ON d.id = c.document_id
"""


@pytest.fixture
async def kestrel(app: App) -> App:
    """One shared document of alice."""
    await app.documents.write(
        app.session("alice"), WriteDocument("a.md", "A kestrel hovers.", shared=True)
    )
    await until_embedded(app)
    return app


async def search(app: App, agent: str, query: str = "kestrel") -> str:
    """The id of the one passage that answers."""
    (result,) = (await app.search.passages(app.session(agent), SearchRequest(query))).results
    return result.id


async def tier(app: App) -> str:
    """Where the answer to the same question comes from."""
    return (await app.search.passages(app.session("alice"), SearchRequest("kestrel"))).tier


async def as_owner(app: App, statement: LiteralString) -> None:
    """Change the schema, as its owner does."""
    async with app.databases.direct_connection("main", create=False) as conn:
        await conn.execute(statement)
        await conn.commit()


async def flush(app: App) -> None:
    await app.usage.flush(await app.databases.reading(None, "alice"))


async def test_a_hundred_reads_at_once_lose_no_count_and_change_nothing(kestrel: App) -> None:
    before = await rows(kestrel, EVERYTHING_READ)

    async with anyio.create_task_group() as readers:
        for number in range(100):
            readers.start_soon(search, kestrel, "bob" if number % 4 else "alice")
    await flush(kestrel)

    assert await rows(kestrel, COUNTS) == [("alice", 25, 0), ("bob", 75, 0)]
    assert await rows(kestrel, EVERYTHING_READ) == before


async def test_counts_of_several_processes_add_up(kestrel: App, config: Config) -> None:
    async with open_app(config) as other:
        for app in (kestrel, other, kestrel):
            await search(app, "alice")
            await flush(app)
        await search(other, "alice", "kestrels?")

    assert await rows(kestrel, COUNTS) == [("alice", 4, 0)]


async def test_answers_from_the_cache_are_counted_and_counting_keeps_them(kestrel: App) -> None:
    with anyio.fail_after(10):
        while await tier(kestrel) != "T0":  # noqa: ASYNC110 - a listener tells nobody
            await anyio.sleep(0.01)
    await flush(kestrel)

    again = await kestrel.search.passages(kestrel.session("alice"), SearchRequest("kestrel"))

    assert again.tier == "T0"


async def test_reading_around_a_result_is_counted_apart_and_explain_tells(kestrel: App) -> None:
    found = await search(kestrel, "alice")
    await kestrel.usage.count_fetch(kestrel.session("alice"), found)
    await flush(kestrel)

    explained = SearchRequest("kestrel", explain=True)
    (own,) = (await kestrel.search.passages(kestrel.session("alice"), explained)).results
    (foreign,) = (await kestrel.search.passages(kestrel.session("bob"), explained)).results

    assert own.used == {"returned": 1, "fetched": 1}
    assert foreign.used == {"returned": 0, "fetched": 0}


async def test_what_is_gone_leaves_no_count(kestrel: App) -> None:
    await search(kestrel, "alice")
    await search(kestrel, "bob")
    await flush(kestrel)
    await search(kestrel, "bob")
    await kestrel.documents.delete(kestrel.session("alice"), "a.md")

    await flush(kestrel)

    assert await rows(kestrel, "SELECT * FROM chunk_usage") == []


async def test_counts_wait_while_the_database_does_not_take_them(kestrel: App) -> None:
    await search(kestrel, "alice")
    await as_owner(kestrel, "ALTER TABLE mcp_memory.chunk_usage RENAME TO away")
    with pytest.raises(Exception, match="chunk_usage"):
        await flush(kestrel)
    await as_owner(kestrel, "ALTER TABLE mcp_memory.away RENAME TO chunk_usage")

    await flush(kestrel)

    assert await rows(kestrel, COUNTS) == [("alice", 1, 0)]
