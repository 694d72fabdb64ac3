"""MCP over HTTP: each call acts for the holder of the key that it came with, and no further."""

import anyio
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from mcp_memory.app import App
from mcp_memory.memory.keys import NewKey, Scope
from tests.fixtures.calls import Facts, ask, paths, refusal, rows
from tests.fixtures.site import open_site


async def limited(app: App, *scopes: Scope, databases: list[str] | None = None) -> str:
    return (await app.keys.create(NewKey("alice", scopes, databases))).text


async def test_without_keys_every_client_is_the_configured_agent(app: App) -> None:
    async with open_site(app) as site, site.client() as client:
        assert (await ask(client, "memory_current_database"))["agent"] == app.config.agent


async def test_each_key_sees_its_agents_own_and_what_is_shared(app: App) -> None:
    alice, bob = [(await app.keys.create(NewKey(agent))).text for agent in ("alice", "bob")]
    async with open_site(app) as site, site.client(alice) as one, site.client(bob) as other:
        await ask(one, "memory_write", path="mine.md", content="alice's marmalade")
        await ask(one, "memory_write", path="ours.md", content="our marmalade", shared=True)
        await ask(other, "memory_write", path="his.md", content="bob's marmalade")
        seen = await ask(other, "memory_search", query="marmalade", min_score=0)
        assert sorted(paths(seen)) == ["his.md", "ours.md"]
        assert "mine.md" in await refusal(other, "memory_get", path="mine.md")
        seen = await ask(one, "memory_search", query="marmalade", min_score=0)
        assert sorted(paths(seen)) == ["mine.md", "ours.md"]


async def test_calls_at_once_never_change_places(app: App) -> None:
    agents = [f"agent-{number}" for number in range(8)]
    keys = {agent: (await app.keys.create(NewKey(agent))).text for agent in agents}
    seen: list[tuple[str, object]] = []

    async with open_site(app) as site:

        async def work(agent: str) -> None:
            async with site.client(keys[agent]) as client:
                for _ in range(5):
                    facts = await ask(client, "memory_current_database")
                    seen.append((agent, facts["agent"]))

        async with anyio.create_task_group() as tasks:
            for agent in agents:
                tasks.start_soon(work, agent)
    assert len(seen) == 40
    assert all(agent == told for agent, told in seen)


async def test_a_scope_that_is_missing_is_named(app: App) -> None:
    reader, writer, both = [
        await limited(app, "read"),
        await limited(app, "write"),
        await limited(app, "read", "write"),
    ]
    async with open_site(app) as site:
        async with site.client(reader) as client:
            assert "'write'" in await refusal(client, "memory_write", path="a.md", content="x")
            assert "'write'" in await refusal(client, "memory_set_default_database", name="main")
            await ask(client, "memory_list")
        async with site.client(writer) as client:
            await ask(client, "memory_write", path="a.md", content="x")
            assert "'read'" in await refusal(client, "memory_get", path="a.md")
            with pytest.raises(MCPError):
                await client.read_resource("memory://main/documents/a.md")
        async with site.client(both) as client:
            assert "'admin'" in await refusal(client, "memory_delete", path="a.md", purge=True)
            assert "'admin'" in await refusal(client, "memory_register_database", name="life")
            await ask(client, "memory_delete", path="a.md")


async def test_purging_and_registering_need_admin(app: App) -> None:
    admin = await limited(app, "admin", "write")
    async with open_site(app) as site, site.client(admin) as client:
        await ask(client, "memory_write", path="a.md", content="x")
        assert (await ask(client, "memory_delete", path="a.md", purge=True))["purged"] is True
        assert (await ask(client, "memory_register_database", name="life"))["name"] == "life"


@pytest.fixture
async def life_only(app: App) -> str:
    await app.databases.register("life", "alice")
    return await limited(app, "read", "write", "admin", databases=["life"])


async def refused_everywhere(client: Client, name: str) -> list[str]:
    return [
        await refusal(client, "memory_search", query="x", database=name),
        await refusal(client, "memory_write", path="a.md", content="x", database=name),
        await refusal(client, "memory_get", path="a.md", database=name),
        await refusal(client, "memory_list", database=name),
        await refusal(client, "memory_delete", path="a.md", database=name),
        await refusal(client, "memory_register_database", name=name),
        await refusal(client, "memory_set_default_database", name=name),
    ]


async def test_a_key_for_one_database_reaches_no_other(app: App, life_only: str) -> None:
    async with open_site(app) as site, site.client(life_only) as client:
        told = await refused_everywhere(client, "main")
        assert await refused_everywhere(client, "never_made") == [
            text.replace("'main'", "'never_made'") for text in told
        ]
        assert "life" in await refusal(client, "memory_current_database")
        assert "life" in await refusal(client, "memory_search", query="x")
        await ask(client, "memory_write", path="a.md", content="x", database="life")
        listed = await ask(client, "memory_list_databases")
        assert [row["name"] for row in rows(listed, "databases")] == ["life"]
        await ask(client, "memory_set_default_database", name="life")
        assert (await ask(client, "memory_current_database"))["name"] == "life"
        with pytest.raises(MCPError):
            await client.read_resource("memory://main/documents/a.md")
    assert "never_made" not in await app.databases.names()


async def test_a_default_moves_for_one_agent_alone_and_a_misspelt_name_makes_nothing(
    app: App,
) -> None:
    alice, bob = [(await app.keys.create(NewKey(agent))).text for agent in ("alice", "bob")]
    await app.databases.register("life", "alice")
    async with open_site(app) as site, site.client(alice) as one, site.client(bob) as other:
        await ask(one, "memory_set_default_database", name="life")
        assert (await ask(one, "memory_current_database"))["name"] == "life"
        assert (await ask(other, "memory_current_database"))["name"] == "main"
        assert "'life'" in await refusal(one, "memory_list", database="lief")
    assert sorted(await app.databases.names()) == ["life", "main"]


async def test_a_private_document_is_out_of_another_keys_reach_by_every_way(app: App) -> None:
    alice, bob = [(await app.keys.create(NewKey(agent))).text for agent in ("alice", "bob")]
    async with open_site(app) as site, site.client(alice) as one, site.client(bob) as other:
        await ask(one, "memory_write", path="diary.md", content="a marmalade secret")
        found = await ask(one, "memory_search", query="marmalade", min_score=0)
        (passage,) = rows(found, "results")
        unknown = await refusal(other, "memory_get", path="nothing.md")
        told = await refusal(other, "memory_get", path="diary.md")
        assert told == unknown.replace("nothing.md", "diary.md")
        await refusal(other, "memory_get", path="diary.md", owner="alice")
        await refusal(other, "memory_get", id=passage["id"])
        await refusal(other, "memory_delete", path="diary.md")
        with pytest.raises(MCPError):
            await other.read_resource("memory://main/documents/diary.md")
        assert (await ask(other, "memory_search", query="marmalade", min_score=0))["results"] == []
        assert (await ask(other, "memory_list"))["documents"] == []
        # The same path is another document for another agent.
        assert (await ask(other, "memory_write", path="diary.md", content="his"))["created"] is True
        assert (await ask(one, "memory_get", path="diary.md"))["text"] == "a marmalade secret"


INITIALIZE: Facts = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
CALL: Facts = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "memory_current_database", "arguments": {}},
}
ACCEPT = {"Accept": "application/json, text/event-stream"}


async def test_a_session_can_be_used_with_the_key_that_opened_it_alone(app: App) -> None:
    alice, bob = [(await app.keys.create(NewKey(agent))).text for agent in ("alice", "bob")]
    async with open_site(app) as site, site.http(alice) as one, site.http(bob) as other:
        opened = await one.post("/mcp", json=INITIALIZE, headers=ACCEPT)
        session = {**ACCEPT, "Mcp-Session-Id": opened.headers["mcp-session-id"]}
        assert (await other.post("/mcp", json=CALL, headers=session)).status_code == 404
        answer = await one.post("/mcp", json=CALL, headers=session)
    assert answer.status_code == 200
    assert "alice" in answer.text
