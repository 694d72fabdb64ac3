"""Calling tools in tests: the facts of an answer, or the text of a refusal."""

import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeAlias, cast

from mcp import Client
from mcp.client.session import MessageHandlerFnT
from mcp_types import CallToolResult, TextContent
from pydantic import JsonValue

from mcp_memory.app import App
from mcp_memory.interfaces.mcp.server import build_server

Facts: TypeAlias = dict[str, JsonValue]

# What an empty database counts.
NOTHING = dict.fromkeys(("documents", "chunks", "sessions", "messages", "memories", "entities"), 0)


@asynccontextmanager
async def client_of(
    app: App,
    agent: str,
    *,
    mode: str = "auto",
    message_handler: MessageHandlerFnT | None = None,
) -> AsyncGenerator[Client]:
    """A client whose calls are this agent's, over the services of a shared app."""
    own = replace(app, config=app.config.model_copy(update={"agent": agent}))
    server = build_server(own)
    async with Client(
        server, raise_exceptions=True, mode=mode, message_handler=message_handler
    ) as client:
        yield client


async def ask(client: Client, tool: str, **arguments: object) -> Facts:
    """The structured answer of a call that must succeed; its text must say the same."""
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, text_of(result)
    structured = cast("Facts", result.structured_content)
    assert json.loads(text_of(result)) == structured
    assert None not in set(_leaves(structured))
    return structured


async def refusal(client: Client, tool: str, **arguments: object) -> str:
    """The text of a call that must fail."""
    result = await client.call_tool(tool, arguments)
    assert result.is_error, text_of(result)
    return text_of(result)


def text_of(result: CallToolResult) -> str:
    """The one text that every answer of ours has."""
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def rows(facts: Facts, name: str) -> list[Facts]:
    """A list of objects in an answer."""
    return cast("list[Facts]", facts[name])


def paths(facts: Facts, name: str = "results") -> list[str]:
    """The paths in a list of results or documents, in order."""
    return [str(row["path"]) for row in rows(facts, name)]


def _leaves(value: JsonValue) -> Iterator[str | float | bool | None]:
    match value:
        case list():
            for part in value:
                yield from _leaves(part)
        case dict():
            for part in value.values():
                yield from _leaves(part)
        case _:
            yield value
