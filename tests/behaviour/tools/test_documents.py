"""The tools of documents, through a client."""

import re

import pytest
from mcp import Client

from tests.fixtures.calls import NOTHING, Facts, ask, paths, refusal, rows


def without_times(facts: Facts) -> Facts:
    """The facts without instants, which must be aware."""
    for name in [name for name in facts if name.endswith("_at")]:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)", str(facts.pop(name)))
    return facts


async def test_what_is_written_is_read(alice: Client) -> None:
    written = await ask(alice, "memory_write", path="MEMORY.md", content="one\ntwo\n")
    assert written.pop("pending_embeddings") in (0, 1)
    assert written == {"path": "MEMORY.md", "version": 1, "chunks": 1, "created": True}
    await ask(alice, "memory_write", path="MEMORY.md", content="three\n")
    assert without_times(await ask(alice, "memory_get", path="MEMORY.md")) == {
        "path": "MEMORY.md",
        "text": "one\ntwo\nthree\n",
        "start_line": 1,
        "end_line": 3,
        "total_lines": 3,
        "version": 2,
        "owner": "alice",
    }


async def test_lines_and_earlier_versions_can_be_asked_for(alice: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="one\ntwo\nthree\n")
    await ask(alice, "memory_write", path="a.md", content="new\n", mode="replace")
    middle = await ask(alice, "memory_get", path="a.md", version=1, start_line=2, lines=1)
    assert (middle["text"], middle["start_line"], middle["end_line"]) == ("two", 2, 2)


async def test_a_search_result_is_read_by_its_id(alice: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="the zebra sleeps\n")
    found = await ask(alice, "memory_search", query="zebra")
    (result,) = rows(found, "results")
    excerpt = await ask(alice, "memory_get", id=result["id"])
    assert (excerpt["path"], "zebra" in str(excerpt["text"])) == ("a.md", True)


async def test_documents_are_listed_page_by_page(alice: Client) -> None:
    for name in "abcde":
        await ask(alice, "memory_write", path=f"{name}.md", content=name, tags=["letter"])
    await ask(alice, "memory_write", path="other/x.md", content="x")
    listed: list[str] = []
    cursor = ""
    for _ in range(3):
        page = await ask(alice, "memory_list", tags=["letter"], limit=2, cursor=cursor)
        listed += paths(page, "documents")
        cursor = str(page.get("next_cursor", ""))
    assert (listed, cursor) == ([f"{name}.md" for name in "abcde"], "")
    assert paths(await ask(alice, "memory_list", prefix="other/"), "documents") == ["other/x.md"]


async def test_appending_leaves_sharing_and_tags_as_they_are(alice: Client, bob: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="zebra", shared=True, tags=["t"])
    await ask(alice, "memory_write", path="a.md", content="lion", shared=None, tags=None)
    assert paths(await ask(bob, "memory_list", tags=["t"]), "documents") == ["a.md"]
    assert (await ask(bob, "memory_get", path="a.md"))["owner"] == "alice"


async def test_a_shared_path_of_several_owners_must_be_chosen(
    alice: Client, bob: Client, carol: Client
) -> None:
    for client in (alice, bob):
        await ask(client, "memory_write", path="a.md", content="x", shared=True)
    assert {"alice", "bob"} <= set(
        re.findall(r"\w+", await refusal(carol, "memory_get", path="a.md"))
    )
    assert (await ask(carol, "memory_get", path="a.md", owner="bob"))["owner"] == "bob"
    assert (await ask(alice, "memory_get", path="a.md"))["owner"] == "alice"


async def test_writes_keep_to_their_conditions(alice: Client) -> None:
    first = {"path": "a.md", "content": "one", "mode": "create", "idempotency_key": "k"}
    written = await ask(alice, "memory_write", **first)
    repeated = await ask(alice, "memory_write", **first)
    assert {**repeated, "pending_embeddings": written["pending_embeddings"]} == written
    assert "idempotency_key" in await refusal(alice, "memory_write", **first | {"content": "two"})
    again = first | {"idempotency_key": ""}
    assert "exists already" in await refusal(alice, "memory_write", **again)
    stale = {"path": "a.md", "content": "two", "expected_version": 2}
    assert "is at version 1" in await refusal(alice, "memory_write", **stale)
    assert (await ask(alice, "memory_get", path="a.md"))["text"] == "one"


async def test_a_forgotten_document_leaves_no_trace_until_it_is_brought_back(
    alice: Client,
) -> None:
    await ask(alice, "memory_write", path="a.md", content="the zebra sleeps")
    found = await ask(alice, "memory_search", query="zebra")
    (chunk,) = (str(row["id"]) for row in rows(found, "results"))
    assert without_times(await ask(alice, "memory_delete", path="a.md")) == {"path": "a.md"}
    assert (await ask(alice, "memory_search", query="zebra"))["results"] == []
    assert await ask(alice, "memory_list") == {"documents": []}
    for arguments in ({"path": "a.md"}, {"path": "a.md", "version": 1}, {"id": chunk}):
        assert "zebra" not in await refusal(alice, "memory_get", **arguments)
    assert (await ask(alice, "memory_current_database"))["counts"] == NOTHING

    assert await ask(alice, "memory_delete", path="a.md", undo=True) == {
        "path": "a.md",
        "restored": True,
    }
    assert paths(await ask(alice, "memory_search", query="zebra")) == ["a.md"]


async def test_a_purged_document_cannot_be_brought_back(alice: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="the zebra sleeps")
    purged = await ask(alice, "memory_delete", path="a.md", purge=True)
    assert purged == {"path": "a.md", "purged": True}
    assert "zebra" not in await refusal(alice, "memory_delete", path="a.md", undo=True)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"path": "../a.md"}, "path"),
        ({"path": "/etc/passwd"}, "path"),
        ({"path": "a/./b"}, "path"),
        ({"path": ""}, "path"),
        ({"path": "p" * 600}, "path"),
        ({"path": "a\0b"}, "path"),
        ({"content": "a\0b"}, "content"),
        ({"content": "\ud800"}, "content"),
        ({"content": " "}, "content"),
        ({"content": "x" * 1_048_577}, "content"),
        ({"content": None}, "content"),
        ({"mode": "appendix"}, "mode"),
        ({"tags": "work"}, "tags"),
        ({"tags": [""]}, "tags"),
        ({"tags": ["a\0"]}, "tags"),
        ({"occurred_at": "someday"}, "occurred_at"),
        ({"expected_version": -1}, "expected_version"),
        ({"expected_version": 2**70}, "expected_version"),
        ({"shared": "perhaps"}, "shared"),
        ({"owner": "bob"}, "owner"),
        ({"database": "No Name"}, "'No Name'"),
    ],
)
async def test_bad_input_is_refused_before_anything_is_written(
    alice: Client, arguments: dict[str, object], named: str
) -> None:
    text = await refusal(alice, "memory_write", **{"path": "a.md", "content": "x"} | arguments)
    assert text.startswith(named)
    assert len(text) < 500
    assert await ask(alice, "memory_list") == {"documents": []}


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("memory_get", {}),
        ("memory_get", {"path": "a.md", "id": "1"}),
        ("memory_get", {"path": "a.md", "lines": -1}),
        ("memory_get", {"path": "a.md", "start_line": -1}),
        ("memory_get", {"path": "a.md", "start_line": 5}),
        ("memory_get", {"path": "a.md", "version": 9}),
        ("memory_get", {"path": "a.md", "version": 2**31}),
        ("memory_get", {"id": "1", "lines": 3}),
        ("memory_get", {"id": "x"}),
        ("memory_get", {"id": "99999999999999999999"}),
        ("memory_list", {"limit": 501}),
        ("memory_list", {"limit": 501}),
        ("memory_list", {"cursor": "x"}),
        ("memory_delete", {"path": "a.md", "undo": True, "purge": True}),
        ("memory_delete", {"path": "a.md", "undo": True}),
        ("memory_delete", {"path": "other.md"}),
    ],
)
async def test_what_cannot_be_done_is_an_error_that_changes_nothing(
    alice: Client, tool: str, arguments: dict[str, object]
) -> None:
    await ask(alice, "memory_write", path="a.md", content="x")
    before = await ask(alice, "memory_list")
    assert "failed inside the server" not in await refusal(alice, tool, **arguments)
    assert await ask(alice, "memory_list") == before


async def test_another_agent_sees_nothing_of_a_private_document(alice: Client, bob: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="the zebra sleeps", tags=["t"])
    found = await ask(alice, "memory_search", query="zebra")
    (chunk,) = (str(row["id"]) for row in rows(found, "results"))

    nothing = await ask(bob, "memory_search", query="zebra", explain=True, min_score=0)
    assert (nothing["results"], nothing["tokens"]) == ([], 0)
    assert await ask(bob, "memory_list") == {"documents": []}
    assert (await ask(bob, "memory_current_database"))["counts"] == NOTHING
    for tool, arguments in (
        ("memory_get", {"path": "a.md"}),
        ("memory_get", {"path": "a.md", "owner": "alice"}),
        ("memory_get", {"path": "a.md", "version": 1}),
        ("memory_delete", {"path": "a.md"}),
        ("memory_delete", {"path": "a.md", "undo": True}),
        ("memory_delete", {"path": "a.md", "purge": True}),
    ):
        unknown = await refusal(bob, tool, **arguments | {"path": "b.md"})
        assert await refusal(bob, tool, **arguments) == unknown.replace("b.md", "a.md")
    unknown = await refusal(bob, "memory_get", id="987654321")
    assert await refusal(bob, "memory_get", id=chunk) == unknown.replace("987654321", chunk)

    await ask(bob, "memory_write", path="a.md", content="mine", mode="create")
    assert (await ask(alice, "memory_get", path="a.md"))["text"] == "the zebra sleeps"


async def test_a_shared_document_is_read_by_all_and_changed_by_its_owner(
    alice: Client, bob: Client
) -> None:
    await ask(alice, "memory_write", path="a.md", content="the zebra sleeps", shared=True)
    assert paths(await ask(bob, "memory_search", query="zebra")) == ["a.md"]
    for how in ({}, {"purge": True}):
        assert "alice" in await refusal(bob, "memory_delete", path="a.md", **how)
    await ask(bob, "memory_write", path="a.md", content="the zebra wakes", mode="replace")
    assert (await ask(alice, "memory_get", path="a.md"))["text"] == "the zebra sleeps"

    await ask(alice, "memory_write", path="a.md", content="more", shared=False)
    assert paths(await ask(bob, "memory_list"), "documents") == ["a.md"]
    assert (await ask(bob, "memory_get", path="a.md"))["owner"] == "bob"
