"""Several real processes on one database: they race, and they are killed while they write."""

from collections.abc import AsyncIterator
from contextlib import ExitStack

import anyio
import anyio.to_thread
import pytest

from mcp_memory.app import App
from mcp_memory.errors import DocumentNotFound
from mcp_memory.postgres import provision
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.chunking import chunk_markdown
from tests.fixtures.document_writer import Writer, long_text
from tests.fixtures.queries import chunks, rows, write

pytestmark = pytest.mark.slow

WAITING = """
SELECT count(DISTINCT l.pid)
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE NOT l.granted AND a.datname = current_database()
"""


@pytest.fixture
async def owner(database_url: str) -> AsyncIterator[Connection]:
    """A connection that can hold up whoever writes."""
    async with await provision.connect(database_url) as conn:
        yield conn


async def until_waiting(owner: Connection, wanted: int) -> None:
    """Return when so many sessions wait for a lock."""
    with anyio.fail_after(20):
        while await waiting(owner) != wanted:  # noqa: ASYNC110 - the server tells no event
            await anyio.sleep(0.01)


async def waiting(owner: Connection) -> int:
    row = await (await owner.execute(WAITING)).fetchone()
    assert row is not None
    return int(row[0])


async def ask_at_once(
    owner: Connection, database_url: str, line: str, processes: int = 2
) -> list[str]:
    """What processes answer that are all told the same, and all are in the middle of it."""
    with ExitStack() as stack:
        writers = [stack.enter_context(Writer(database_url)) for _ in range(processes)]
        async with owner.transaction():
            await owner.execute("LOCK TABLE mcp_memory.documents IN ACCESS EXCLUSIVE MODE")
            for writer in writers:
                writer.send(line)
            await until_waiting(owner, processes)
        return [await anyio.to_thread.run_sync(writer.receive) for writer in writers]


@pytest.mark.parametrize("line", ["keyed the same thing", "same the same thing"])
async def test_two_processes_that_store_the_same_thing_at_once_store_it_once(
    app: App, owner: Connection, database_url: str, line: str
) -> None:
    await write(app, "alice", "before.md", "so that the space of vectors is there")

    answers = await ask_at_once(owner, database_url, line)

    assert answers == ["same.md 1", "same.md 1"]
    assert await rows(
        app,
        "SELECT d.version, v.content FROM documents d JOIN document_versions v"
        " ON v.document_id = d.id WHERE d.path = 'same.md'",
    ) == [(1, "the same thing")]
    assert [row.text for row in await chunks(app)].count("the same thing") == 1


async def test_a_process_killed_in_the_middle_of_a_write_leaves_nothing_of_it(
    app: App, owner: Connection, database_url: str
) -> None:
    await write(app, "alice", "before.md", "so that the space of vectors is there")
    with Writer(database_url) as writer:
        async with owner.transaction():
            # The audit row is a write's last: document, version and chunks are in by then.
            await owner.execute("LOCK TABLE mcp_memory.audit_log IN ACCESS EXCLUSIVE MODE")
            writer.send("long big.md")
            await until_waiting(owner, 1)
            writer.kill()
    # The dead process's session ends with the path's lock in its hands: then ours is granted.
    await write(app, "alice", "big.md", "a later text")

    assert (await app.documents.get(app.session("alice"), "big.md")).version == 1
    assert [row.text for row in await chunks(app)] == [
        "so that the space of vectors is there",
        "a later text",
    ]
    with pytest.raises(DocumentNotFound):
        await app.documents.get(app.session("alice"), "big.md", version=2)


async def test_what_a_killed_process_was_acknowledged_is_there_and_whole(
    app: App, database_url: str
) -> None:
    paths = [f"{number}.md" for number in range(40)]
    with Writer(database_url) as writer:
        for path in paths:
            writer.send(f"long {path}")
        acknowledged = [await anyio.to_thread.run_sync(writer.receive) for _ in range(3)]
        writer.kill()

    assert acknowledged == [f"{path} 1" for path in paths[:3]]
    stored = [document.path for document in (await app.documents.list(app.session("alice"))).rows]
    assert set(paths[:3]) <= set(stored) < set(paths)
    assert [(await app.documents.get(app.session("alice"), path)).text for path in stored] == [
        long_text(path) for path in stored
    ]
    indexed = [row.text for row in await chunks(app)]
    expected = [chunk.text for path in paths for chunk in chunk_markdown(long_text(path))]
    assert indexed == [text for text in expected if text in set(indexed)]
    assert len(indexed) == len(stored) * len(expected) // len(paths)
