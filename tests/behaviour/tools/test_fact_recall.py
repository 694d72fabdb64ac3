"""The tools that read the graph, as a client calls them."""

import pytest
from mcp import Client

from tests.fixtures.calls import ask, refusal


async def store_two(client: Client) -> None:
    for one, relation, other in (("Ben", "works_at", "Globex"), ("Globex", "located_in", "Bergen")):
        stated = {"subject": one, "relation": relation, "object": other}
        content = f"{one} {relation} {other}."
        await ask(client, "memory_graph_store", content=content, relations=[stated])


async def test_a_path_tells_from_where_to_where(alice: Client) -> None:
    await store_two(alice)

    found = await ask(alice, "memory_graph_query", mode="path", entity="Ben", related_to="Bergen")

    assert found["path"] == [
        {"from": "Ben", "relation": "works_at", "to": "Globex", "id": "m1"},
        {"from": "Globex", "relation": "located_in", "to": "Bergen", "id": "m2"},
    ]


async def test_recall_tells_what_the_contract_names(alice: Client) -> None:
    await store_two(alice)

    found = await ask(alice, "memory_graph_recall", query="Where does Ben work?", max_results=1)

    memories = found["memories"]
    assert isinstance(memories, list)
    assert isinstance(memories[0], dict)
    assert {"id", "memory_type", "content", "importance", "confidence", "score", "entities",
            "related"} <= set(memories[0])  # fmt: skip
    assert (memories[0]["id"], memories[0]["related"]) == ("m1", [])


@pytest.mark.parametrize("given", [{"mode": "path"}, {"mode": "history"}, {"depth": 5}])
async def test_what_cannot_be_asked_is_refused(alice: Client, given: dict[str, object]) -> None:
    assert await refusal(alice, "memory_graph_query", **({"query": "x"} | given))


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        ({"mode": "types", "entity": "Ben", "limit": 5}, ("entity", "limit", "timeline")),
        ({"mode": "types", "include_related": False}, ("include_related",)),
        ({"mode": "path", "entity": "Ben", "related_to": "Bergen", "limit": 1}, ("limit",)),
        ({"mode": "history", "id": "m1", "query": "x"}, ("query", "hybrid")),
        ({"mode": "recent", "id": "m1"}, ("id", "related, history")),
        ({"query": "Ben", "depth": 2}, ("depth", "entity", "timeline")),
    ],
)
async def test_an_argument_of_another_mode_is_refused_by_name(
    alice: Client, arguments: dict[str, object], names: tuple[str, ...]
) -> None:
    await store_two(alice)

    complaint = await refusal(alice, "memory_graph_query", **arguments)

    assert [name for name in names if name not in complaint] == []


async def test_what_says_nothing_belongs_to_every_mode(alice: Client) -> None:
    await store_two(alice)
    neutral: dict[str, object] = {"query": "", "id": None, "relation_types": [], "depth": 0}

    answer = await ask(alice, "memory_graph_query", mode="types", limit=20, **neutral)

    assert answer["types"] == [{"memory_type": "fact", "memories": 2}]


async def test_types_are_counted_as_they_were_known(alice: Client) -> None:
    await store_two(alice)

    answer = await ask(alice, "memory_graph_query", mode="types", known_at="2020-01-01")

    assert answer["types"] == []
