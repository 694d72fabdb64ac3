"""Changing the model of a database: nothing is lost, nobody waits, and there is a way back."""

from typing import LiteralString

import anyio
import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.errors import Conflict, EmbeddingUnavailable, InvalidInput, SpaceNotFound
from mcp_memory.postgres.connection import Connection
from mcp_memory.vectors.spaces import Space
from tests.fixtures.provider import Provider
from tests.fixtures.vector_queries import (
    AGENT,
    counts,
    database_of,
    search,
    status,
    until,
    until_full,
    write,
)
from tests.unit.vectors.conftest import MakeSettings

NOTES = 30


async def filled(app: App) -> None:
    for number in range(NOTES):
        await write(app, f"{number}.md", f"note {number} about the lighthouse")


async def lexical_hits(app: App, query: str) -> list[tuple[str, float]]:
    """What was found by words, with the score of the words alone; ties in the order of paths."""
    database = await database_of(app)

    async with database.reading(AGENT) as conn:
        found = await conn.execute(
            "SELECT c.path, m.score FROM match_lexemes(%(words)s, jsonb_populate_record("
            ' NULL::search_filter, \'{"sources": ["documents"]}\'), 100) m'
            " JOIN chunks c ON c.id = m.chunk_id ORDER BY m.score DESC, c.path",
            {"words": query.split()},
        )
        return [(str(row[0]), float(row[1])) for row in await found.fetchall()]


async def spaces(app: App) -> dict[str, Space]:
    return {each.space.model: each.space for each in await status(app)}


async def fill(app: App, space: Space) -> list[tuple[int, int]]:
    """Fill the space; what was told of the progress."""
    told: list[tuple[int, int]] = []
    await app.spaces.administration.embed_due(
        app.session(AGENT), space, progress=lambda done, total: told.append((done, total))
    )
    return told


async def test_a_model_of_other_dimensions_is_added_filled_activated_and_left_again(
    app: App, with_model: MakeSettings
) -> None:
    admin = app.spaces.administration
    await filled(app)
    before = await lexical_hits(app, "lighthous 7")

    large = await admin.add(app.session(AGENT), "openai/large")
    waiting = {each.space.model: (each.vectors, each.pending) for each in await status(app)}
    answer = await search(app, "lighthouse")
    told = await fill(app, large)

    assert waiting == {"small": (NOTES, 0), "large": (0, NOTES)}
    assert (answer.degraded, answer.results[0].routes) == ([], ["lexical", "semantic"])
    assert told[0] == (0, NOTES)
    assert told[-1] == (NOTES, NOTES)

    await admin.activate(app.session(AGENT), large)
    async with open_app(with_model("large")) as switched:
        answer = await search(switched, "note about")
        await write(switched, "new.md", "a new note about the harbour")
        assert (answer.degraded, answer.results[0].routes) == ([], ["lexical", "semantic"])
        assert await counts(switched) == (NOTES + 1, 2 * NOTES + 1, 1, 2)

    small = (await spaces(app))["small"]
    assert len(await fill(app, small)) > 1
    await admin.activate(app.session(AGENT), small)
    assert (await search(app, "note about")).degraded == []
    assert await counts(app) == (NOTES + 1, 2 * NOTES + 2, 0, 2)
    after = await lexical_hits(app, "lighthous 7")
    assert [path for path, _ in after] == [path for path, _ in before]


async def test_a_switch_is_seen_by_a_process_that_searches_all_the_while(
    app: App, with_model: MakeSettings
) -> None:
    admin = app.spaces.administration
    await filled(app)
    large = await admin.add(app.session(AGENT), "openai/large")
    await fill(app, large)
    async with open_app(with_model("large")) as new:

        async def both_have_seen_it() -> bool:
            before, after = await search(app, "lighthouse"), await search(new, "lighthouse")
            assert len(before.results) == len(after.results) > 0
            return before.degraded != [] and after.degraded == []

        assert (await search(new, "lighthouse")).degraded != []
        await admin.activate(app.session(AGENT), large)
        await until(both_have_seen_it)


async def test_a_space_that_is_not_full_is_not_activated_unless_forced(
    app: App, provider: Provider
) -> None:
    admin = app.spaces.administration
    await filled(app)
    large = await admin.add(app.session(AGENT), "openai/large")

    with pytest.raises(Conflict, match="30 of 30"):
        await admin.activate(app.session(AGENT), large)
    active = await app.spaces.active(app.session(AGENT))
    assert active is not None
    assert active.model == "small"

    await admin.activate(app.session(AGENT), large, force=True)
    active = await app.spaces.active(app.session(AGENT))
    assert active is not None
    assert active.model == "large"


async def test_the_active_space_is_not_dropped_and_another_goes_with_all_it_has(app: App) -> None:
    admin = app.spaces.administration
    await filled(app)
    large = await admin.add(app.session(AGENT), "openai/large")
    await fill(app, large)
    small = (await spaces(app))["small"]

    with pytest.raises(Conflict):
        await admin.drop(app.session(AGENT), small)
    await admin.drop(app.session(AGENT), large)

    assert await counts(app) == (NOTES, NOTES, 0, 1)
    assert await indexes(app) == [f"vectors_space_{small.id}"]
    assert (await search(app, "lighthouse")).degraded == []
    again = await admin.add(app.session(AGENT), "openai/large")
    assert again.id > large.id


async def indexes(app: App) -> list[str]:
    """The vector indexes there are."""

    async with (await database_of(app)).maintaining() as conn:
        found = await conn.execute(
            "SELECT indexname::text FROM pg_indexes WHERE indexdef LIKE '%USING hnsw%' ORDER BY 1"
        )
        return [str(row[0]) for row in await found.fetchall()]


async def test_nothing_is_added_while_the_provider_does_not_answer(
    app: App, provider: Provider
) -> None:
    await write(app, "a.md", "something to begin with")
    provider.stop()
    with pytest.raises(EmbeddingUnavailable):
        await app.spaces.administration.add(app.session(AGENT), "openai/large")
    assert (await counts(app))[3] == 1


async def test_a_model_nobody_knows_is_refused_with_the_near_name(app: App) -> None:
    with pytest.raises(InvalidInput, match="minilm"):
        await app.spaces.administration.add(app.session(AGENT), "minilmm")


async def test_a_space_that_is_not_there_is_refused_with_those_that_are(app: App) -> None:
    await write(app, "a.md", "something to begin with")
    with pytest.raises(SpaceNotFound) as refused:
        await app.spaces.administration.find(app.session(AGENT), "large")
    assert refused.value.known == ["1 = openai/small (8)"]
    assert (await app.spaces.administration.find(app.session(AGENT), "1")).model == "small"
    assert (await app.spaces.administration.find(app.session(AGENT), "openai/small")).id == 1


async def test_two_processes_that_begin_at_once_make_one_space(app: App, other: App) -> None:
    await database_of(app)
    async with anyio.create_task_group() as group:
        for number in range(4):
            group.start_soon(write, app, f"a{number}.md", f"first process {number}")
            group.start_soon(write, other, f"b{number}.md", f"second process {number}")
    await until_full(app)
    assert await counts(app) == (8, 8, 0, 1)


async def test_two_models_that_begin_at_once_leave_one_active(
    app: App, with_model: MakeSettings
) -> None:
    await database_of(app)
    async with open_app(with_model("large")) as large, anyio.create_task_group() as group:
        group.start_soon(write, app, "a.md", "first process")
        group.start_soon(write, large, "b.md", "second process")
    states = sorted(each.space.state for each in await status(app))
    assert states in (["active"], ["active", "filling"])


async def test_a_chunk_written_while_a_space_is_added_is_queued_for_it(app: App) -> None:
    await write(app, "a.md", "something to begin with")
    database = await database_of(app)
    written, go_on = anyio.Event(), anyio.Event()

    async def slowly(conn: Connection) -> None:
        await conn.execute(
            "WITH one AS (INSERT INTO documents (agent_id, path, title, tokens, sha256)"
            " VALUES ('tester', 'p', 't', 1, '') RETURNING id)"
            " INSERT INTO chunks (agent_id, source, document_id, position, path, title, start_line,"
            " end_line, text, text_hash, tokens, lexemes)"
            " SELECT 'tester', 'documents', id, 0, 'p', 't', 1, 1, 'slow', 'h', 1, '' FROM one"
        )
        written.set()
        await go_on.wait()

    async def write_slowly() -> None:
        async with database.writing(AGENT) as conn:
            await slowly(conn)

    async def add() -> None:
        await app.spaces.administration.add(app.session(AGENT), "openai/large")

    async with anyio.create_task_group() as group:
        group.start_soon(write_slowly)
        await written.wait()
        group.start_soon(add)
        await add_waits(app)
        go_on.set()
    assert [each.pending for each in await status(app) if each.space.model == "large"] == [2]


async def add_waits(app: App) -> None:
    """Return once somebody waits for the lock of the spaces."""
    database = await database_of(app)

    async def is_waiting() -> bool:
        async with database.maintaining() as conn:
            cursor = await conn.execute(
                "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
                " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
            )
            row = await cursor.fetchone()
            return row is not None and bool(row[0])

    await until(is_waiting)


async def test_a_comparison_says_how_much_two_spaces_have_in_common(app: App) -> None:
    admin = app.spaces.administration
    await filled(app)
    large = await admin.add(app.session(AGENT), "openai/large")
    small = (await spaces(app))["small"]
    queries = await admin.past_queries(app.session(AGENT), 5)
    assert len(queries) == 5

    empty = await admin.compare(app.session(AGENT), large, queries)
    itself = await admin.compare(app.session(AGENT), small, queries)
    await fill(app, large)
    full = await admin.compare(app.session(AGENT), large, queries)

    assert [(each.common, each.found) for each in empty] == [(0, 10)] * 5
    assert [(each.common, each.found) for each in itself] == [(10, 10)] * 5
    assert all(0 < each.common <= each.found == 10 for each in full)


@pytest.mark.parametrize(
    "call",
    [
        "add_vector_space('hashing', 'mine', 8)",
        "index_vector_space(1::smallint)",
        "queue_missing(1::smallint, 10)",
        "activate_vector_space(1::smallint)",
        "retire_vector_space(1::smallint)",
        "drop_vector_space(1::smallint, 10)",
    ],
)
async def test_an_agent_cannot_change_spaces(app: App, call: str) -> None:
    await write(app, "a.md", "something to begin with")
    database = await database_of(app)

    async def try_it(conn: Connection) -> None:
        await conn.execute(b"SELECT " + call.encode())

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with database.writing(AGENT) as conn:
            await try_it(conn)


async def test_an_agent_sees_and_changes_no_vector_and_no_job_of_others(
    app: App, provider: Provider
) -> None:
    await write(app, "a.md", "something to begin with")
    await write(app, "a.md", "something of alice", agent="alice")
    provider.stop()
    await write(app, "b.md", "something else of alice", agent="alice")
    database = await database_of(app)

    async def look(conn: Connection) -> list[int]:
        statements: tuple[LiteralString, ...] = (
            "SELECT FROM vectors",
            "SELECT FROM vector_jobs",
            "UPDATE vector_jobs SET next_try_at = 'infinity'",
            "DELETE FROM vector_jobs",
            "DELETE FROM vectors",
            "UPDATE vector_spaces SET state = 'dropping'",
        )
        return [(await conn.execute(statement)).rowcount for statement in statements]

    async with database.writing(AGENT) as conn:
        assert await look(conn) == [1, 0, 0, 0, 0, 0]
    async with database.writing("alice") as conn:
        assert await look(conn) == [1, 1, 0, 0, 0, 0]
