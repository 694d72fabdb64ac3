"""Forgetting: gone from everywhere at once, back within its time, without a trace after a purge."""

import subprocess
from datetime import timedelta

import anyio
import pytest

from mcp_memory.app import App
from mcp_memory.errors import FactConflict, FactNotFound, InvalidInput
from mcp_memory.memory.facts import store as facts_store
from mcp_memory.memory.facts.model import Association, EntityReference, RelationReference
from mcp_memory.postgres.embedded.binaries import wheel_binaries
from tests.fixtures.facts import day, found, so_at, store, update
from tests.fixtures.queries import rows, until_embedded

ADA = EntityReference("Ada Quincewood", "person", ("Quincy",))
WORKS = RelationReference("Ada Quincewood", "works_at", "Marmaladery")

TRACES = """
SELECT 'chunk' FROM chunks WHERE source = 'graph'
UNION ALL SELECT 'vector' FROM vectors
UNION ALL SELECT 'mention' FROM memory_mentions WHERE NOT isempty(truth) OR shared
UNION ALL SELECT 'relation' FROM memory_relations WHERE NOT isempty(truth) OR shared
UNION ALL SELECT 'link' FROM memory_links WHERE NOT isempty(truth) OR shared
"""


async def test_a_forgotten_memory_leaves_nothing_to_be_found(app: App) -> None:
    other = await store(app, "the weather is fine", agent="bob", shared=True)
    stored = await store(
        app,
        "Ada makes marmalade",
        shared=True,
        entities=(ADA,),
        relations=(WORKS,),
        associations=(Association(other.id),),
    )
    await app.forgetting.forget(app.session("bob"), other.id)
    await app.forgetting.forget(app.session("alice"), stored.id)

    assert await so_at(app, "alice") == await so_at(app, "bob") == {}
    assert await rows(app, TRACES) == []
    assert await found(app, "Ada marmalade") == []
    assert await app.graph.count(app.session("alice")) == {"memories": 0, "entities": 0}


async def test_undo_brings_every_version_back_as_it_was(app: App) -> None:
    stored = await store(app, "the price is 5", valid_from=day(1), relations=(WORKS,))
    await update(app, stored.id, content="the price is 6", valid_from=day(10))
    before = await rows(app, _STATE)
    first = await app.forgetting.forget(app.session("alice"), stored.id)
    again = await app.forgetting.forget(app.session("alice"), stored.id)
    assert again == first

    restored = await app.forgetting.restore(app.session("alice"), stored.id)
    assert (restored.restored, restored.forgotten_at) == (True, None)
    assert await rows(app, _STATE) == before
    assert await so_at(app, "alice", day(2)) == {"m1": "the price is 5"}
    assert await found(app, "what is the price") == ["the price is 6"]


_STATE = """
SELECT c.memory_version, c.text, c.truth::text, c.shared::text
FROM chunks c WHERE c.source = 'graph'
UNION ALL SELECT version, relation, truth::text, shared::text FROM memory_relations
ORDER BY 1, 2
"""


_WAS_KNOWN = """
SELECT was_known(s.memory_id, s.version, now(), s.recorded_at)
FROM memory_spans s
WHERE s.memory_id = 1 AND s.retired_at IS NULL
"""


async def test_what_is_forgotten_was_never_known_until_it_is_brought_back(app: App) -> None:
    stored = await store(app, "the price is 5")
    assert await rows(app, _WAS_KNOWN) == [(True,)]
    await app.forgetting.forget(app.session("alice"), stored.id)
    assert await rows(app, _WAS_KNOWN) == [(False,)]

    await app.forgetting.restore(app.session("alice"), stored.id)
    assert await rows(app, _WAS_KNOWN) == [(True,)]


async def test_what_is_not_forgotten_cannot_be_brought_back(app: App) -> None:
    stored = await store(app, "one")
    with pytest.raises(FactConflict):
        await app.forgetting.restore(app.session("alice"), stored.id)


async def test_a_forgotten_memory_can_be_changed_and_linked_to_by_nobody(app: App) -> None:
    stored = await store(app, "one")
    await app.forgetting.forget(app.session("alice"), stored.id)

    for attempt in (
        update(app, stored.id, content="two"),
        store(app, "three", supersedes=stored.id),
        store(app, "three", associations=(Association(stored.id),)),
    ):
        with pytest.raises(FactNotFound):
            await attempt


async def test_what_says_the_same_as_a_forgotten_memory_is_a_new_one(app: App) -> None:
    first = await store(app, "one")
    await app.forgetting.forget(app.session("alice"), first.id)
    second = await store(app, "one")
    await app.forgetting.restore(app.session("alice"), first.id)

    assert second.id != first.id
    assert (await store(app, "one")).id == second.id
    assert len(await so_at(app, "alice")) == 2


async def test_a_purge_leaves_no_trace_in_a_dump_of_the_database(
    app: App, database_url: str
) -> None:
    kept = await store(app, "somebody is kept", entities=(EntityReference("Quincy"),))
    secret = await store(
        app,
        "Ada Quincewood hides zanzibarite",
        reasoning="heard of zanzibarite",
        source="tool:zanzibarite",
        tags=("zanzibarite",),
        entities=(ADA, EntityReference("Zanzibarite", "mineral")),
        relations=(WORKS,),
        associations=(Association(kept.id),),
        idempotency_key="key",
    )
    await update(app, secret.id, content="Ada has zanzibarite", reason="zanzibarite again")
    await until_embedded(app)
    assert {"zanzibarite", "quincewood", "marmaladery"} <= words_of_dump(database_url)
    await app.forgetting.forget(app.session("alice"), secret.id, reason="zanzibarite")
    await app.forgetting.purge(app.session("alice"), secret.id)

    left = words_of_dump(database_url)
    assert not {"zanzibarite", "zanzibarit", "quincewood", "marmaladery", "marmaladeri"} & left
    assert {"somebody", "quincy"} <= left


def words_of_dump(database_url: str) -> set[str]:
    """Every word that pg_dump writes of the database."""
    done = subprocess.run(
        [wheel_binaries() / "pg_dump", "--dbname", database_url, "--inserts"],
        capture_output=True,
        text=True,
        check=True,
    )
    return {word for line in done.stdout.lower().splitlines() for word in _words(line)}


def _words(line: str) -> list[str]:
    return "".join(each if each.isalpha() else " " for each in line).split()


async def test_what_stood_before_and_after_a_purged_memory_stays_one_chain(app: App) -> None:
    first = await store(app, "the price is 5", valid_from=day(1))
    second = await store(app, "the price is 6", valid_from=day(5), supersedes=first.id)
    third = await store(app, "the price is 7", valid_from=day(9), supersedes=second.id)
    await app.forgetting.purge(app.session("alice"), second.id)
    await store(app, "the price is 8", valid_from=day(13), supersedes=first.id)

    assert await so_at(app, "alice", day(10)) == {third.id: "the price is 7"}
    assert list((await so_at(app, "alice", day(20))).values()) == ["the price is 8"]


async def test_revoking_a_source_forgets_what_came_from_it_and_nothing_else(app: App) -> None:
    for number in range(3):
        await store(app, f"rumour {number}", source="https://rumours.example")
    kept = await store(app, "a fact", source="user")
    await store(app, "bob's rumour", agent="bob", source="https://rumours.example")

    tried = await app.forgetting.revoke(
        app.session("alice"), "https://rumours.example", dry_run=True
    )
    assert (tried, len(await so_at(app, "alice"))) == (["m1", "m2", "m3"], 4)
    assert await app.forgetting.revoke(app.session("alice"), "https://rumours.example") == tried
    assert await so_at(app, "alice") == {kept.id: "a fact"}
    assert len(await so_at(app, "bob")) == 1


async def test_an_empty_source_revokes_nothing(app: App) -> None:
    await store(app, "a fact")
    with pytest.raises(InvalidInput):
        await app.forgetting.revoke(app.session("alice"), " ")
    assert len(await so_at(app, "alice")) == 1


async def test_what_was_forgotten_long_ago_is_purged_of_every_agent(app: App) -> None:
    for agent in ("alice", "bob"):
        stored = await store(app, f"{agent}'s secret", agent=agent)
        await app.forgetting.forget(app.session(agent), stored.id)
    await store(app, "kept")

    assert await app.forgetting.purge_outdated(app.session("alice")) == 0
    now = timedelta()
    assert await app.forgetting.purge_outdated(app.session("alice"), age=now, dry_run=True) == 2
    assert await app.forgetting.purge_outdated(app.session("alice"), age=now, owner="bob") == 1
    assert await app.forgetting.purge_outdated(app.session("alice"), age=now) == 1
    assert await rows(app, "SELECT content FROM memory_versions") == [("kept",)]


async def test_what_is_brought_back_while_a_purge_goes_on_stays(app: App) -> None:
    """The purge has found it, and waits; then it is brought back."""
    stored = await store(app, "precious")
    await app.forgetting.forget(app.session("alice"), stored.id)
    database = await app.databases.writing(None, "alice")
    held, may_end = anyio.Event(), anyio.Event()

    async def bring_back() -> None:
        async with database.writing("alice") as conn:
            await facts_store.lock_chains(conn)
            held.set()
            await may_end.wait()
            await conn.execute("UPDATE memories SET forgotten_at = NULL")

    async def purge() -> None:
        assert await app.forgetting.purge_outdated(app.session("alice"), age=timedelta()) == 0

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bring_back)
        await held.wait()
        tasks.start_soon(purge)
        await until_somebody_waits(app)
        may_end.set()
    assert await rows(app, "SELECT content FROM memory_versions") == [("precious",)]


async def until_somebody_waits(app: App) -> None:
    """Until a transaction waits for an advisory lock that another has."""
    waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with anyio.fail_after(20):
        while not await rows(app, waiting):  # noqa: ASYNC110 - PostgreSQL decides
            await anyio.sleep(0.02)
