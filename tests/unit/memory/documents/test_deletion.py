"""Deleting, bringing back and purging: what is forgotten shows nowhere."""

import subprocess
from datetime import timedelta

import pytest

from mcp_memory.app import App
from mcp_memory.errors import (
    ChunkNotFound,
    DocumentExists,
    DocumentNotFound,
    McpMemoryError,
    PermissionRefused,
)
from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.embedded.binaries import wheel_binaries
from tests.fixtures.queries import change, chunks, found, rows, until_embedded, write

SECRET = WriteDocument(
    "notes/a.md",
    "# Marmalade\n\nThe marmalade recipe is a secret.",
    mode="replace",
    tags=["marmalade-tag"],
    idempotency_key="first",
)

# What every table says in words, the documents themselves apart: they wait for undo.
ELSEWHERE = """
SELECT to_jsonb(t)::text FROM chunks t
UNION ALL SELECT to_jsonb(t)::text FROM vectors t
UNION ALL SELECT to_jsonb(t)::text FROM vector_jobs t
UNION ALL SELECT to_jsonb(t)::text FROM idempotency_keys t
UNION ALL SELECT to_jsonb(t)::text FROM audit_log t
"""


async def listed(app: App, agent: str = "alice") -> list[str]:
    return [document.path for document in (await app.documents.list(app.session(agent))).rows]


async def test_what_was_deleted_is_in_no_search_list_or_excerpt(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await until_embedded(app)
    (chunk,) = await chunks(app)
    assert await found(app, "alice", "marmalade") == ["notes/a.md"]

    deleted = await app.documents.delete(app.session("alice"), "notes/a.md")

    assert (deleted.path, deleted.restored, deleted.purged) == ("notes/a.md", False, False)
    assert deleted.deleted_at is not None
    assert deleted.deleted_at.utcoffset() is not None
    assert await found(app, "alice", "marmalade") == []
    assert await listed(app) == []
    assert await app.documents.count(app.session("alice")) == {"documents": 0, "chunks": 0}
    for version in (None, 1):
        with pytest.raises(DocumentNotFound):
            await app.documents.get(app.session("alice"), "notes/a.md", version=version)
    with pytest.raises(ChunkNotFound):
        await app.search.context(app.session("alice"), str(chunk.id))


async def test_after_deleting_no_other_table_holds_a_word_of_the_text(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    before = await rows(app, ELSEWHERE)
    assert any("marmalad" in str(row) for row in before)

    await app.documents.delete(app.session("alice"), "notes/a.md")

    after = await rows(app, ELSEWHERE)
    assert [row for row in after if "marmalad" in str(row).lower()] == []
    assert await rows(app, "SELECT chunk_id FROM vectors") == []
    assert await rows(app, "SELECT chunk_id FROM vector_jobs") == []


async def test_what_was_deleted_can_be_brought_back(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.write(
        app.session("alice"), WriteDocument("notes/a.md", "More of it.", shared=True)
    )
    before = await app.documents.list(app.session("bob"))
    await app.documents.delete(app.session("alice"), "notes/a.md")
    assert await found(app, "bob", "marmalade") == []

    restored = await app.documents.restore(app.session("alice"), "notes/a.md")

    assert (restored.path, restored.restored, restored.deleted_at) == ("notes/a.md", True, None)
    assert await found(app, "bob", "marmalade") == ["notes/a.md"]
    assert await app.documents.list(app.session("bob")) == before
    assert (await app.documents.get(app.session("bob"), "notes/a.md")).text.endswith(
        "secret.\nMore of it."
    )
    assert (await app.documents.get(app.session("alice"), "notes/a.md", version=1)).version == 1
    assert await rows(app, "SELECT DISTINCT tags, shared FROM chunks") == [
        (["marmalade-tag"], True)
    ]


async def test_what_was_brought_back_gets_its_vectors_soon(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.delete(app.session("alice"), "notes/a.md")
    await app.documents.restore(app.session("alice"), "notes/a.md")

    await until_embedded(app)
    assert await rows(app, "SELECT count(*) FROM vectors") == [(1,)]


async def test_undo_is_refused_where_the_path_is_taken_again(app: App) -> None:
    await write(app, "alice", "a.md", "old")
    await app.documents.delete(app.session("alice"), "a.md")
    assert (await write(app, "alice", "a.md", "new")).created

    with pytest.raises(DocumentExists) as caught:
        await app.documents.restore(app.session("alice"), "a.md")

    assert (caught.value.path, caught.value.version) == ("a.md", 1)
    assert (await app.documents.get(app.session("alice"), "a.md")).text == "new"


async def test_undo_brings_back_what_was_deleted_last(app: App) -> None:
    for text in ("first", "second"):
        await write(app, "alice", "a.md", text)
        await app.documents.delete(app.session("alice"), "a.md")

    await app.documents.restore(app.session("alice"), "a.md")

    assert (await app.documents.get(app.session("alice"), "a.md")).text == "second"
    assert await found(app, "alice", "first") == []


async def test_after_the_window_nothing_is_brought_back(app: App) -> None:
    await write(app, "alice", "a.md", "old")
    await app.documents.delete(app.session("alice"), "a.md")
    await change(app, "UPDATE documents SET deleted_at = now() - interval '30 days 1 second'")

    with pytest.raises(DocumentNotFound):
        await app.documents.restore(app.session("alice"), "a.md")


async def test_within_the_window_it_is(app: App) -> None:
    await write(app, "alice", "a.md", "old")
    await app.documents.delete(app.session("alice"), "a.md")
    await change(app, "UPDATE documents SET deleted_at = now() - interval '29 days 23 hours'")

    assert (await app.documents.restore(app.session("alice"), "a.md")).restored


async def test_what_is_not_there_cannot_be_deleted_restored_or_purged(app: App) -> None:
    await write(app, "bob", "private.md", "text")
    documents = app.documents

    for act in (documents.delete, documents.restore, documents.purge):
        for path in ("nowhere.md", "private.md"):
            with pytest.raises(DocumentNotFound) as caught:
                await act(app.session("alice"), path)
            assert caught.value.path == path
    assert await listed(app, "bob") == ["private.md"]


async def test_anothers_shared_document_is_only_its_owners_to_remove(app: App) -> None:
    await app.documents.write(app.session("bob"), WriteDocument("a.md", "text", shared=True))

    for act in (app.documents.delete, app.documents.purge):
        with pytest.raises(PermissionRefused):
            await act(app.session("alice"), "a.md")
    assert await listed(app, "alice") == ["a.md"]


async def test_deleting_ones_own_leaves_the_shared_one_of_that_path(app: App) -> None:
    await app.documents.write(app.session("bob"), WriteDocument("a.md", "of bob", shared=True))
    await write(app, "alice", "a.md", "of alice")

    await app.documents.delete(app.session("alice"), "a.md")

    assert (await app.documents.get(app.session("alice"), "a.md")).text == "of bob"


async def test_twice_deleted_is_not_found(app: App) -> None:
    await write(app, "alice", "a.md", "text")
    await app.documents.delete(app.session("alice"), "a.md")

    with pytest.raises(DocumentNotFound):
        await app.documents.delete(app.session("alice"), "a.md")


def dump(url: str) -> str:
    done = subprocess.run(
        [wheel_binaries() / "pg_dump", "--dbname", url], capture_output=True, text=True, check=True
    )
    return done.stdout


async def test_after_purging_a_dump_of_the_database_does_not_hold_the_text(
    app: App, database_url: str
) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.delete(app.session("alice"), "notes/a.md")
    await app.documents.write(
        app.session("alice"), WriteDocument("notes/a.md", "Second marmalade.")
    )
    await write(app, "alice", "kept.md", "kestrels hover")
    await until_embedded(app)
    assert "marmalad" in dump(database_url).lower()

    purged = await app.documents.purge(app.session("alice"), "notes/a.md")

    assert (purged.path, purged.purged, purged.deleted_at) == ("notes/a.md", True, None)
    left = dump(database_url).lower()
    assert "marmalad" not in left
    assert "kestrels hover" in left
    assert await rows(app, "SELECT count(*) FROM vectors") == [(1,)]
    with pytest.raises(DocumentNotFound):
        await app.documents.restore(app.session("alice"), "notes/a.md")


async def test_what_is_purged_under_a_key_is_not_written_again_by_a_repeat(app: App) -> None:
    first = await app.documents.write(app.session("alice"), SECRET)
    await app.documents.purge(app.session("alice"), "notes/a.md")

    assert (await app.documents.write(app.session("alice"), SECRET)).version == first.version
    assert await found(app, "alice", "marmalade") == []


async def test_expired_deletions_are_purged_and_nothing_else(app: App) -> None:
    for path in ("old.md", "young.md", "living.md"):
        await write(app, "alice", path, f"text of {path}")
    for path in ("old.md", "young.md"):
        await app.documents.delete(app.session("alice"), path)
    await change(
        app,
        "UPDATE documents SET deleted_at = now() - interval '31 days' WHERE path = 'old.md'",
    )

    assert (await app.documents.purge_expired(app.session("alice"), dry_run=True)).documents == 1
    assert (await app.documents.purge_expired(app.session("alice"))).documents == 1
    assert (await app.documents.purge_expired(app.session("alice"))).documents == 0

    assert await rows(app, "SELECT path FROM documents ORDER BY path") == [
        ("living.md",),
        ("young.md",),
    ]


async def test_an_empty_selector_of_a_purge_selects_nobody(app: App) -> None:
    for agent in ("alice", "bob"):
        await write(app, agent, "a.md", "text")
        await app.documents.delete(app.session(agent), "a.md")

    of_nobody = await app.documents.purge_expired(app.session("alice"), owner="", age=timedelta(0))
    of_bob = await app.documents.purge_expired(app.session("alice"), owner="bob", age=timedelta(0))

    assert (of_nobody.documents, of_bob.documents) == (0, 1)
    assert await rows(app, "SELECT agent_id FROM documents") == [("alice",)]


async def test_what_happened_is_recorded_without_any_text(app: App) -> None:
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.delete(app.session("alice"), "notes/a.md")
    await app.documents.restore(app.session("alice"), "notes/a.md")
    await app.documents.purge(app.session("alice"), "notes/a.md")

    recorded = await rows(app, "SELECT agent_id, action, kind FROM audit_log ORDER BY id")
    assert recorded == [
        ("alice", action, "document") for action in ("write", "delete", "restore", "purge")
    ]


async def test_a_refused_deletion_is_not_recorded(app: App) -> None:
    with pytest.raises(McpMemoryError):
        await app.documents.delete(app.session("alice"), "nowhere.md")

    assert await rows(app, "SELECT action FROM audit_log") == []
