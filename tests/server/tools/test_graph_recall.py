"""The tools that read the graph, as a client calls them."""

import pytest
from mcp import Client

from tests.server.calls import ask, refusal


async def told(client: Client) -> None:
    for one, relation, other in (("Ben", "works_at", "Globex"), ("Globex", "located_in", "Bergen")):
        stated = {"subject": one, "relation": relation, "object": other}
        content = f"{one} {relation} {other}."
        await ask(client, "memory_graph_store", content=content, relations=[stated])


async def test_a_path_tells_from_where_to_where(alice: Client) -> None:
    await told(alice)

    found = await ask(alice, "memory_graph_query", mode="path", entity="Ben", related_to="Bergen")

    assert found["path"] == [
        {"from": "Ben", "relation": "works_at", "to": "Globex", "id": "m1"},
        {"from": "Globex", "relation": "located_in", "to": "Bergen", "id": "m2"},
    ]


async def test_recall_tells_what_the_contract_names(alice: Client) -> None:
    await told(alice)

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
