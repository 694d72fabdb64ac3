"""Several real processes on one database: they store and change the same memory at once."""

from contextlib import ExitStack

import anyio.to_thread
import pytest

from mcp_memory.app import App
from mcp_memory.memory.facts.model import EntityReference
from mcp_memory.postgres import provision
from tests.fixtures.document_writer import Writer
from tests.fixtures.facts import so_at, store
from tests.fixtures.queries import rows
from tests.process.test_documents import until_waiting

pytestmark = pytest.mark.slow

PROGRAM = "tests.fixtures.fact_writer"


async def ask_at_once(database_url: str, *lines: str) -> list[str]:
    """What processes answer, one a line, that are all in the middle of it at one moment."""
    with ExitStack() as stack:
        writers = [stack.enter_context(Writer(database_url, PROGRAM)) for _ in lines]
        async with await provision.connect(database_url) as owner, owner.transaction():
            await owner.execute("LOCK TABLE mcp_memory.memories IN ACCESS EXCLUSIVE MODE")
            for writer, line in zip(writers, lines, strict=True):
                writer.send(line)
            await until_waiting(owner, len(writers))
        return [await anyio.to_thread.run_sync(writer.receive) for writer in writers]


async def test_processes_that_store_the_same_at_once_store_it_once(
    app: App, database_url: str
) -> None:
    await store(app, "so that the space of vectors is there", agent="bob")

    answers = await ask_at_once(database_url, *["store Ada lives in Ghent"] * 3)

    assert len(set(answers)) == 1
    assert await so_at(app, "alice") == {answers[0]: "Ada lives in Ghent"}
    assert await rows(app, "SELECT name FROM entities ORDER BY name") == [("Ada",), ("Ghent",)]


async def test_processes_that_store_different_things_of_one_entity_name_one(
    app: App, database_url: str
) -> None:
    await store(app, "so that the space of vectors is there", agent="bob")

    answers = await ask_at_once(database_url, "store Ada sings", "store Ada dances")

    assert sorted((await so_at(app, "alice")).values()) == ["Ada dances", "Ada sings"]
    assert len(set(answers)) == 2
    assert await rows(app, "SELECT count(*) FROM entities") == [(2,)]


async def test_processes_that_change_one_memory_at_once_each_add_a_version(
    app: App, database_url: str
) -> None:
    await store(app, "state 0")

    answers = await ask_at_once(database_url, "update state 1", "update state 2")

    assert sorted(answers) == ["2", "3"]
    assert len(await so_at(app, "alice")) == 1
    assert await rows(
        app, "SELECT count(*) FROM memory_spans WHERE retired_at IS NULL AND valid_until IS NULL"
    ) == [(1,)]


async def test_a_process_killed_in_the_middle_of_storing_leaves_nothing_of_it(
    app: App, database_url: str
) -> None:
    await store(app, "so that the space of vectors is there", agent="bob")
    with Writer(database_url, PROGRAM) as writer:
        async with await provision.connect(database_url) as owner, owner.transaction():
            # The audit row is the last: memory, entities, relations and chunks are in by then.
            await owner.execute("LOCK TABLE mcp_memory.audit_log IN ACCESS EXCLUSIVE MODE")
            writer.send("store Ada lives in Ghent")
            await until_waiting(owner, 1)
            writer.kill()
    # What the dead process held is let go of with its session: then ours is granted.
    stored = await store(app, "Ada lives in Ghent", entities=(EntityReference("Ada", "person"),))

    assert (stored.repeated, [each.created for each in stored.entities]) == (False, [True])
    assert await so_at(app, "alice") == {stored.id: "Ada lives in Ghent"}
    assert await rows(app, "SELECT count(*) FROM memory_relations") == [(0,)]
