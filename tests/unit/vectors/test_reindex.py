"""Rows of an earlier version: found as well as new ones soon after the upgrade, by itself."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import anyio
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.config import Config
from mcp_memory.memory.conversations.models import AppendMessages, NewMessage
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.memory.facts.model import NewFact
from mcp_memory.postgres import provision
from mcp_memory.search.kinds import SearchRequest
from mcp_memory.text.terms import tsvector
from mcp_memory.vectors.reindex import reindex_some
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.queries import rows, until_embedded

TOLD = datetime(2024, 6, 10, 9, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
# The last one whose rows had neither marks of days nor vectors of short messages alone.


async def write_all(app: App) -> None:
    """Something of each kind, told on a day of 2024."""
    for number in range(60):
        text = f"# Note {number}\n\nYesterday buoy {number} was painted."
        request = WriteDocument(f"log/{number}.md", text, tags=["harbour"], occurred_at=TOLD)
        await app.documents.write(app.session("alice"), request)
    said = [
        NewMessage("user", f"Boat {number} came in yesterday.", created_at=TOLD)
        for number in range(3)
    ]
    await app.transcripts.append(app.session("alice"), AppendMessages("s", said))
    memory = NewFact("Ben left yesterday.", tags=("crew",), occurred_at=TOLD)
    await app.graph.store(app.session("alice"), memory)
    await until_embedded(app)


async def indexed(app: App) -> list[tuple[object, ...]]:
    """All that chunks are found by; the anchors are the database's own."""
    return await rows(
        app,
        """
        SELECT c.id, array_to_string(tsvector_to_array(c.lexemes), ' '), e.embedding::text,
               e.alone::text
        FROM chunks c
        JOIN vectors e ON e.chunk_id = c.id
        ORDER BY c.id
        """,
    )


async def counts(app: App) -> list[tuple[object, ...]]:
    await app.word_counts.merge(await app.databases.writing(None, "alice"))
    return await rows(app, "SELECT lexeme, chunks FROM word_counts ORDER BY lexeme")


async def make_old(url: str) -> None:
    """The database as an earlier version wrote it: other lexemes, and no vectors of texts alone."""
    async with await provision.connect(url) as conn:
        await provision.layout_for_migrating(conn, "main")
        await conn.execute("SET search_path TO mcp_memory, public")
        await conn.execute("UPDATE vectors SET alone = NULL")
        await conn.execute("UPDATE vector_spaces SET prepared = false")
        found = await conn.execute("SELECT id, heading, text FROM mcp_memory.chunks")
        for id, heading, text in await found.fetchall():
            await conn.execute(
                "UPDATE chunks SET lexemes = %s::tsvector, indexed_by = 0 WHERE id = %s",
                [tsvector(f"{heading}\n{text}"), id],
            )


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(30):
        while not await is_so():  # noqa: ASYNC110 - rows tell no event
            await anyio.sleep(0.05)


@pytest.fixture
async def written(config: Config, database_url: str) -> tuple[object, object]:
    """What a new version indexes; the database is an old one when this is over."""
    async with open_app(config) as app:
        await write_all(app)
        fresh = await indexed(app), await counts(app)
    await make_old(database_url)
    return fresh


async def waiting(app: App) -> int:
    return await app.reindexer.waiting(app.session("alice"))


async def test_after_an_upgrade_old_rows_become_like_new_ones_by_themselves(
    written: tuple[object, object], config: Config
) -> None:
    async with open_app(config) as app:
        assert await waiting(app) == 64
        await app.search.passages(app.session("alice"), SearchRequest("buoy"))

        async def is_done() -> bool:
            return await waiting(app) == 0 and (await indexed(app), await counts(app)) == written

        await until(is_done)


async def test_a_search_finds_the_renewed_rows_though_it_was_asked_before(
    written: tuple[object, object], config: Config
) -> None:
    request = SearchRequest("harbour on June 9, 2024", max_results=3)
    async with open_app(config) as app:

        async def is_found() -> bool:
            answer = await app.search.passages(app.session("alice"), request)
            return any("time" in result.routes for result in answer.results)

        await until(is_found)


async def test_it_goes_on_where_it_was_stopped(
    written: tuple[object, object], config: Config
) -> None:
    async with open_app(config) as app:
        database = await app.databases.writing(None, "alice")
        async with database.maintaining() as conn:
            assert await reindex_some(conn, UTC_ZONE, 5) == 5
        with pytest.raises(ConnectionError):
            async with database.maintaining() as conn:
                await reindex_some(conn, UTC_ZONE, 5)
                raise ConnectionError
        left = await waiting(app)
        assert left in range(60)
    async with open_app(config) as app:
        assert await app.reindexer.finish(app.session("alice")) <= left
        assert await waiting(app) == 0


async def test_several_processes_share_it_and_each_row_is_renewed_once(
    written: tuple[object, object], make_config: MakeConfig
) -> None:
    config = make_config(embeddings={"provider": "hashing"})
    done: list[int] = []

    async def finish() -> None:
        async with open_app(config) as app:
            done.append(await app.reindexer.finish(app.session("alice")))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(finish)
    async with open_app(config) as app:
        assert await waiting(app) == 0
    assert sum(done) == 64


async def test_progress_is_told(written: tuple[object, object], config: Config) -> None:
    told: list[tuple[int, int]] = []
    async with open_app(config) as app:
        await app.reindexer.finish(
            app.session("alice"), progress=lambda done, total: told.append((done, total))
        )
    assert told[-1] == (64, 64)
