"""The tools of named databases, through a client."""

import psycopg
import pytest
from mcp import Client
from pydantic import JsonValue

from mcp_memory.postgres.addresses import with_database
from tests.fixtures.calls import NOTHING, ask, paths, refusal, rows


def databases_on(server_url: str) -> set[str]:
    with psycopg.connect(server_url) as conn:
        return {str(row[0]) for row in conn.execute("SELECT datname FROM pg_database").fetchall()}


async def test_the_current_database_says_what_it_is(alice: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="x")
    current = await ask(alice, "memory_current_database")
    assert list(current) == [
        "name",
        "url",
        "embedded",
        "server_version",
        "pgvector_version",
        "embedding_model",
        "migration",
        "counts",
        "pending_embeddings",
        "unread_messages",
        "agent",
    ]
    assert (current["name"], current["agent"]) == ("main", "alice")
    assert current["counts"] == NOTHING | {"documents": 1, "chunks": 1}
    assert current["embedding_model"] not in ("", "none")
    # The vector of what was just written may still be on its way.
    assert current["pending_embeddings"] in (0, 1)
    assert current["unread_messages"] == 0


async def test_the_list_counts_what_the_caller_sees(alice: Client, bob: Client) -> None:
    await ask(alice, "memory_register_database", name="life")
    await ask(alice, "memory_write", path="a.md", content="x", database="life")
    for client, documents in ((alice, 1), (bob, 0)):
        listed = await ask(client, "memory_list_databases")
        seen = {
            row["name"]: (row["status"], row["is_default"], row["counts"])
            for row in rows(listed, "databases")
        }
        assert listed["default"] == "main"
        assert seen == {
            "main": ("ready", True, NOTHING),
            "life": (
                "ready",
                False,
                NOTHING | {"documents": documents, "chunks": documents},
            ),
        }


async def test_a_name_is_derived_from_the_base(
    alice: Client, database_url: str, server_url: str
) -> None:
    base = database_url.rpartition("/")[2].partition("?")[0]
    registered = await ask(alice, "memory_register_database", name="life")
    assert f"/{base}_life" in str(registered["url"])
    assert f"{base}_life" in databases_on(server_url)


async def test_the_default_moves_for_this_agent_alone(alice: Client, bob: Client) -> None:
    await ask(alice, "memory_register_database", name="life")
    moved = await ask(alice, "memory_set_default_database", name="life")
    assert moved == {"previous": "main", "default": "life"}
    for client in (alice, bob):
        await ask(client, "memory_write", path="a.md", content="the zebra sleeps")
    assert paths(await ask(alice, "memory_list", database="life"), "documents") == ["a.md"]
    assert paths(await ask(alice, "memory_list", database="main"), "documents") == []
    assert paths(await ask(bob, "memory_list", database="main"), "documents") == ["a.md"]
    assert (await ask(alice, "memory_current_database"))["name"] == "life"
    assert (await ask(bob, "memory_current_database"))["name"] == "main"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("memory_write", {"path": "a.md", "content": "x", "expected_version": 5}),
        ("memory_graph_store", {"content": "x", "supersedes": "m1"}),
        (
            "memory_graph_store",
            {"content": "x", "associations": [{"target_id": "m1", "relation_type": "related_to"}]},
        ),
        ("memory_message", {"action": "wait", "timeout_seconds": 0}),
        ("memory_message", {"action": "ack", "message_ids": ["1"]}),
        ("memory_message", {"action": "unsubscribe", "channel": "harbour"}),
        (
            "transcript",
            {"action": "summarize", "session_id": "s", "summary": "x", "seq_from": 1, "seq_to": 2},
        ),
    ],
)
async def test_what_can_only_be_about_something_that_is_there_creates_nothing(
    alice: Client, server_url: str, tool: str, arguments: dict[str, JsonValue]
) -> None:
    await ask(alice, "memory_write", path="a.md", content="x")
    before = databases_on(server_url)
    assert "'nowhere'" in await refusal(alice, tool, **arguments, database="nowhere")
    assert databases_on(server_url) == before


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("memory_search", {"query": "x", "database": "lief"}),
        ("memory_get", {"path": "a.md", "database": "lief"}),
        ("memory_get", {"id": "1", "database": "lief"}),
        ("memory_list", {"database": "lief"}),
        ("memory_delete", {"path": "a.md", "database": "lief"}),
        ("memory_delete", {"path": "a.md", "undo": True, "database": "lief"}),
        ("memory_delete", {"path": "a.md", "purge": True, "database": "lief"}),
        ("memory_set_default_database", {"name": "lief"}),
    ],
)
async def test_a_misspelt_name_creates_nothing_and_names_the_near_one(
    alice: Client, server_url: str, tool: str, arguments: dict[str, object]
) -> None:
    await ask(alice, "memory_register_database", name="life")
    before = databases_on(server_url)
    assert "Did you mean 'life'?" in await refusal(alice, tool, **arguments)
    await ask(alice, "memory_list_databases")
    assert databases_on(server_url) == before
    assert (await ask(alice, "memory_current_database"))["name"] == "main"


@pytest.mark.parametrize(
    "name", ['a"; drop database x', "a/b?x=1", "n" * 80, "🦓", "Life", "../x", "", "1a", "a\0b"]
)
async def test_a_hostile_name_is_refused_at_every_door(
    alice: Client, server_url: str, name: str
) -> None:
    await ask(alice, "memory_list")
    before = databases_on(server_url)
    for tool, arguments in (
        ("memory_register_database", {"name": name}),
        ("memory_set_default_database", {"name": name}),
        ("memory_write", {"path": "a.md", "content": "x", "database": name}),
        ("memory_search", {"query": "x", "database": name}),
    ):
        if name or "database" not in arguments:
            assert "failed inside" not in await refusal(alice, tool, **arguments)
    assert databases_on(server_url) == before


async def test_an_url_of_its_own_is_used_and_its_password_never_shown(
    alice: Client, database_url: str, server_url: str
) -> None:
    url = with_database(database_url, database_url.rpartition("/")[2].partition("?")[0] + "_own")
    secret = url.replace("@", ":zebra-secret@", 1)
    registered = await ask(alice, "memory_register_database", name="own", url=secret)
    assert "zebra-secret" not in str(registered)
    assert "zebra-secret" not in str(await ask(alice, "memory_list_databases"))
    other = secret.replace("zebra-secret", "lion-secret")
    text = await refusal(alice, "memory_register_database", name="own", url=other)
    assert "secret" not in text


@pytest.mark.parametrize(
    "url",
    [
        "mysql://u:zebra@h/db",
        "host=h password=zebra",
        "postgresql://u:zebra@127.0.0.1:1/db",
        "postgresql://u:zebra@127.0.0.1:1/db?nonsense=1",
        "postgresql://u:zebra@127.0.0.1:port/db",
    ],
)
async def test_an_url_that_leads_nowhere_leaves_the_name_free(alice: Client, url: str) -> None:
    text = await refusal(alice, "memory_register_database", name="own", url=url)
    assert "zebra" not in text
    assert "failed inside" not in text
    names = [row["name"] for row in rows(await ask(alice, "memory_list_databases"), "databases")]
    assert names == ["main"]
    await ask(alice, "memory_register_database", name="own")


async def test_a_tool_without_arguments_says_so(alice: Client) -> None:
    text = await refusal(alice, "memory_current_database", database="main")
    assert text == "database: is not a parameter: this tool takes no arguments"
