"""The server as a whole: what it lists, how much that costs a client, how it fails."""

import json

import psycopg
import pytest
from mcp import Client
from pydantic import JsonValue

from mcp_memory import __version__
from mcp_memory.app import App, open_app
from mcp_memory.interfaces.mcp.server import INSTRUCTIONS, build_server
from tests.fixtures.calls import ask, refusal
from tests.fixtures.postgres import MakeConfig

TOOLS = [
    "memory_search",
    "memory_get",
    "memory_write",
    "memory_list",
    "memory_delete",
    "transcript",
    "memory_graph_recall",
    "memory_graph_query",
    "memory_graph_store",
    "memory_graph_update",
    "memory_graph_forget",
    "memory_message",
    "memory_list_databases",
    "memory_register_database",
    "memory_set_default_database",
    "memory_current_database",
]


async def listed(client: Client) -> list[dict[str, JsonValue]]:
    """The tools as they are on the wire."""
    tools = (await client.list_tools()).tools
    return [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]


def size(value: object) -> int:
    return len(json.dumps(value, separators=(",", ":"), ensure_ascii=False))


async def test_the_tools_are_those_of_the_contract_in_a_fixed_order(alice: Client) -> None:
    assert [tool["name"] for tool in await listed(alice)] == TOOLS


async def test_the_tools_cost_a_client_little(alice: Client) -> None:
    tools = await listed(alice)
    read_by_models = [{k: t[k] for k in ("name", "description", "inputSchema")} for t in tools]
    assert sum(map(size, read_by_models)) < 20_000
    assert size((await alice.list_tools()).model_dump(by_alias=True, exclude_none=True)) < 28_000


async def test_every_tool_says_what_it_is_for_and_what_it_may_do(alice: Client) -> None:
    for tool in await listed(alice):
        assert tool["description"]
        assert set(annotations := dict_of(tool["annotations"])) == {
            "readOnlyHint",
            "destructiveHint",
            "idempotentHint",
            "openWorldHint",
        }
        assert annotations["openWorldHint"] is False
        assert tool["outputSchema"] == {"type": "object"}


def dict_of(value: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(value, dict)
    return value


async def test_input_schemas_are_flat_closed_and_free_of_noise(alice: Client) -> None:
    for tool in await listed(alice):
        schema = dict_of(tool["inputSchema"])
        assert schema["additionalProperties"] is False
        assert not {"anyOf", "oneOf", "allOf", "$defs", "$ref"} & set(schema)
        text = json.dumps(schema)
        assert '"null"' not in text
        assert '"title"' not in text


async def test_every_parameter_is_described_and_has_a_type(alice: Client) -> None:
    for tool in await listed(alice):
        for name, parameter in dict_of(dict_of(tool["inputSchema"])["properties"]).items():
            assert {"type", "anyOf"} & set(dict_of(parameter)), name
            assert "description" in dict_of(parameter), name


async def test_two_tools_ask_to_be_loaded_at_once(alice: Client) -> None:
    loaded = [tool["name"] for tool in await listed(alice) if "_meta" in tool]
    assert loaded == ["memory_search", "memory_write"]


@pytest.mark.parametrize("tool", TOOLS)
async def test_an_unknown_parameter_is_refused_by_name(alice: Client, tool: str) -> None:
    text = await refusal(alice, tool, databse="x")
    assert text.startswith("databse: is not a parameter")


async def test_an_unknown_tool_is_an_error_of_the_call(alice: Client) -> None:
    assert "memory_serach" in await refusal(alice, "memory_serach", query="x")


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_both_eras_learn_who_answers(app: App, mode: str) -> None:
    async with Client(build_server(app), mode=mode) as client:
        assert client.instructions == INSTRUCTIONS
        assert client.server_info is not None
        assert (client.server_info.name, client.server_info.version) == ("mcp-memory", __version__)
        assert await ask(client, "memory_list") == {"documents": []}


def test_the_instructions_are_not_cut_by_clients() -> None:
    assert len(INSTRUCTIONS.encode()) < 2_000
    assert "memory_search" in INSTRUCTIONS[:200]


async def test_lists_may_be_cached_and_documents_may_not(alice: Client) -> None:
    await ask(alice, "memory_write", path="a.md", content="x")
    tools, read = (
        await alice.list_tools(),
        await alice.read_resource("memory://main/documents/a.md"),
    )
    assert (tools.ttl_ms, tools.cache_scope) == (3_600_000, "public")
    assert (read.ttl_ms, read.cache_scope) == (0, "private")


async def test_the_configuration_chooses_the_toolsets(make_config: MakeConfig) -> None:
    async with (
        open_app(make_config(toolsets=["databases"])) as app,
        Client(build_server(app)) as client,
    ):
        assert [tool["name"] for tool in await listed(client)] == TOOLS[
            TOOLS.index("memory_list_databases") :
        ]
        assert (await client.list_prompts()).prompts == []
        assert (await client.list_resource_templates()).resource_templates == []


async def test_the_app_outlives_the_server(app: App) -> None:
    for _ in range(2):
        async with Client(build_server(app)) as client:
            await ask(client, "memory_write", path="a.md", content="x")
    assert (await app.documents.list(app.session(app.config.agent))).rows[0].path == "a.md"


async def test_an_internal_failure_is_logged_and_not_told(
    alice: Client, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await ask(alice, "memory_write", path="a.md", content="x")
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute("DROP TABLE mcp_memory.documents CASCADE")
    assert await refusal(alice, "memory_list") == (
        "memory_list failed inside the server, whose log says why."
    )
    assert await refusal(alice, "memory_write", path="a.md", content="x") == (
        "memory_write failed inside the server, whose log says why."
        " It may have changed something: look before you try again."
    )
    assert "UndefinedTable" in caplog.text
