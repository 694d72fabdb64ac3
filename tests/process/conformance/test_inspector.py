"""The Inspector, a client in another language: strict about schemas, and able to call each tool."""

import json
import sys
from collections.abc import Mapping
from typing import cast

import pytest

from tests.fixtures.servers import Running, environ_of, running
from tests.process.conformance.node import Node

pytestmark = pytest.mark.conformance

CALLS: Mapping[str, Mapping[str, object]] = {
    "memory_write": {"path": "a.md", "content": "marmalade", "tags": ["x"]},
    "memory_search": {"query": "marmalade", "min_score": 0},
    "memory_get": {"path": "a.md"},
    "memory_list": {},
    "memory_delete": {"path": "a.md"},
    "memory_graph_recall": {"query": "marmalade"},
    "memory_graph_query": {"mode": "types"},
    "memory_list_databases": {},
    "memory_register_database": {"name": "other"},
    "memory_set_default_database": {"name": "main"},
    "memory_current_database": {},
    "transcript": {"action": "stats"},
    "memory_graph_store": {"content": "Ada likes marmalade", "entities": [{"name": "Ada"}]},
    "memory_graph_update": {"id": "m1", "importance": 0.9},
    "memory_graph_forget": {"id": "m1"},
    "memory_message": {"action": "inbox"},
}
ROUTES = {
    "streamable-http, modern": ("/mcp", "http", "modern"),
    "streamable-http, legacy": ("/mcp", "http", "legacy"),
    "sse": ("/sse", "sse", "legacy"),
}


def _arguments(call: Mapping[str, object]) -> list[str]:
    given: list[str] = []
    for name, value in call.items():
        text = value if isinstance(value, str) else json.dumps(value)
        given += ["--tool-arg", f"{name}={text}"]
    return given


def _target(server: Running, route: str) -> list[str]:
    path, transport, era = ROUTES[route]
    return [f"{server.url}{path}", "--transport", transport, "--protocol-era", era]


@pytest.mark.parametrize("route", ROUTES)
def test_it_finds_no_fault_in_the_tools_and_can_call_each(
    node: Node, database_url: str, route: str
) -> None:
    environ = environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing")
    with running(environ) as server:
        target = _target(server, route)
        listed = node.inspector(*target, "--method", "tools/list", "--strict", "--format", "json")
        assert listed.returncode == 0, listed.stdout + listed.stderr
        assert set(_names(listed.stdout)) == set(CALLS)
        for name, call in CALLS.items():
            options = ["--method", "tools/call", "--tool-name", name, *_arguments(call)]
            done = node.inspector(*target, *options, "--format", "json")
            assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_it_finds_no_fault_over_stdio(node: Node, database_url: str) -> None:
    environ = environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing")
    command = ["env", *(f"{key}={value}" for key, value in environ.items())]
    command += [sys.executable, "-P", "-m", "mcp_memory", "serve"]
    options = ["--method", "tools/list", "--strict", "--format", "json"]
    done = node.inspector(*command, *options)
    assert done.returncode == 0, done.stdout + done.stderr


def _names(stdout: str) -> list[str]:
    """The names of the tools in the Inspector's JSON."""
    document = cast("dict[str, dict[str, list[dict[str, str]]]]", json.loads(stdout))
    tools = document.get("tools") or document["result"]["tools"]
    return [tool["name"] for tool in cast("list[dict[str, str]]", tools)]
