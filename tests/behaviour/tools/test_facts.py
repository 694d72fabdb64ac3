"""The tools that write memories, as a client sees them."""

import pytest
from mcp import Client

from tests.fixtures.calls import ask, refusal, rows

ADA = {"name": "Ada", "type": "person", "aliases": ["Countess"]}
WORKS = {"subject": "Ada", "relation": "works_at", "object": "Acme"}


async def test_a_fact_is_stored_changed_forgotten_and_brought_back(alice: Client) -> None:
    stored = await ask(
        alice,
        "memory_graph_store",
        content="Ada works at Acme",
        memory_type="fact",
        entities=[ADA],
        relations=[WORKS],
        valid_from="2026-01-01",
    )
    names = [(each["name"], each["created"]) for each in rows(stored, "entities")]
    assert names == [("Ada", True), ("Acme", True)]
    assert {key: stored[key] for key in ("version", "memory_type", "similar", "repeated")} == {
        "version": 1,
        "memory_type": "fact",
        "similar": [],
        "repeated": False,
    }
    id = stored["id"]

    changed = await ask(
        alice, "memory_graph_update", id=id, content="Ada left Acme", valid_until="never"
    )
    assert changed == {"id": id, "version": 2, "changed": ["content", "valid_until"]}
    forgotten = await ask(alice, "memory_graph_forget", id=id, reason="a test")
    assert set(forgotten) == {"id", "forgotten_at"}
    assert await ask(alice, "memory_graph_forget", id=id, undo=True) == {"id": id, "restored": True}
    assert await ask(alice, "memory_graph_forget", id=id, purge=True) == {"id": id, "purged": True}
    assert str(id) in await refusal(alice, "memory_graph_forget", id=id)


async def test_what_a_relation_contradicts_is_named(alice: Client) -> None:
    older = await ask(alice, "memory_graph_store", content="Ada is at Acme", relations=[WORKS])
    newer = await ask(
        alice,
        "memory_graph_store",
        content="Globex hired the Countess",
        entities=[ADA],
        relations=[{**WORKS, "subject": "countess", "object": "Globex"}],
    )

    (similar,) = rows(newer, "similar")
    assert (similar["id"], similar["contradicts"]) == (older["id"], "works_at")


@pytest.mark.parametrize(
    ("parameter", "arguments"),
    [
        ("memory_type", {"memory_type": "opinion"}),
        ("entities[0].name", {"entities": [{"type": "person"}]}),
        ("entities[0]", {"entities": [{"name": "Ada", "kind": "person"}]}),
        ("relations[0].object", {"relations": [{"subject": "a", "relation": "b"}]}),
        ("relations[0].valid_from", {"relations": [{**WORKS, "valid_from": "soon"}]}),
        (
            "associations[0].relation_type",
            {"associations": [{"target_id": "m1", "relation_type": "likes"}]},
        ),
        ("m77", {"associations": [{"target_id": "m77"}]}),
        ("m77", {"supersedes": "m77"}),
        ("importance", {"importance": 2}),
        ("valid_until", {"valid_from": "2026-02-01", "valid_until": "2026-01-01"}),
        ("expires", {"expires": "never"}),
    ],
)
async def test_bad_input_is_named_and_nothing_is_stored(
    alice: Client, parameter: str, arguments: dict[str, object]
) -> None:
    complaint = await refusal(alice, "memory_graph_store", content="x", **arguments)

    assert parameter in complaint
    stored = await ask(alice, "memory_graph_store", content="x")
    assert (stored["repeated"], stored["similar"]) == (False, [])


async def test_a_list_is_emptied_by_none_and_by_nothing_else(alice: Client) -> None:
    stored = await ask(
        alice,
        "memory_graph_store",
        content="Ada works at Acme",
        relations=[WORKS],
        tags=["work"],
        message_ids=["1"],
    )
    change = {"id": stored["id"], "tags": [], "relations": [], "content": ""}
    assert (await ask(alice, "memory_graph_update", **change))["changed"] == []

    emptied = {key: ["none"] for key in ("tags", "relations", "message_ids", "entities")}
    changed = await ask(alice, "memory_graph_update", id=stored["id"], **emptied)

    assert changed["changed"] == ["message_ids", "tags", "entities", "relations"]


async def test_what_is_shared_becomes_private_again(alice: Client) -> None:
    stored = await ask(alice, "memory_graph_store", content="Ada works at Acme", shared=True)

    changed = await ask(alice, "memory_graph_update", id=stored["id"], shared=False)

    assert changed["changed"] == ["shared"]
