"""What the official suite asks a server for by name: content, resources, prompts, notifications.

`register` adds it to the server that our real factory builds; none of it is in the package.
"""

import base64
import json
import struct
import zlib
from typing import Annotated, Any

import anyio
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import Message, UserMessage
from mcp.shared.exceptions import MCPError
from mcp_types import (
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    ClientCapabilities,
    Completion,
    CompletionArgument,
    CompletionContext,
    EmbeddedResource,
    EmptyResult,
    ImageContent,
    MissingRequiredClientCapabilityErrorData,
    PromptReference,
    ResourceTemplateReference,
    SamplingCapability,
    SetLevelRequestParams,
    SubscribeRequestParams,
    TextContent,
    TextResourceContents,
    UnsubscribeRequestParams,
)
from pydantic import Field

from mcp_memory.interfaces.mcp.resources import lowlevel
from tests.process.conformance.questions import register_questions

_PAUSE_SECONDS = 0.05

Ctx = Context[Any]


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png() -> bytes:
    """One red pixel."""
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    pixels = _chunk(b"IDAT", zlib.compress(b"\0\xff\0\0"))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + _chunk(b"IEND", b"")


def _wav() -> bytes:
    """One silent sample."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sIB", b"data", 1, 128)
    return struct.pack("<4sI", b"RIFF", len(body)) + body


PNG, WAV = (base64.b64encode(data).decode() for data in (_png(), _wav()))
IMAGE = ImageContent(type="image", data=PNG, mime_type="image/png")


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    contents = TextResourceContents(uri=uri, mime_type=mime_type, text=text)
    return EmbeddedResource(type="resource", resource=contents)


async def test_simple_text() -> TextContent:
    """Return text."""
    return _text("This is a simple text response for testing.")


async def test_image_content() -> ImageContent:
    """Return an image."""
    return IMAGE


async def test_audio_content() -> AudioContent:
    """Return a sound."""
    return AudioContent(type="audio", data=WAV, mime_type="audio/wav")


async def test_embedded_resource() -> EmbeddedResource:
    """Return a resource."""
    text = "This is an embedded resource content."
    return _resource("test://embedded-resource", "text/plain", text)


async def test_multiple_content_types() -> list[TextContent | ImageContent | EmbeddedResource]:
    """Return three kinds of content."""
    facts = '{"test":"data","value":123}'
    resource = _resource("test://mixed-content-resource", "application/json", facts)
    return [_text("Multiple content types test:"), IMAGE, resource]


async def test_error_handling() -> TextContent:
    """Fail."""
    raise ToolError("This tool intentionally returns an error for testing")


async def test_tool_with_logging(ctx: Ctx) -> TextContent:
    """Log three messages."""
    for message in ("started", "processing", "completed"):
        texts = {"processing": "Tool processing data"}
        text = texts.get(message, f"Tool execution {message}")
        session = ctx.session
        await session.send_log_message(  # pyright: ignore[reportDeprecated]  # the older suite asks
            "info", text, related_request_id=ctx.request_id
        )
        await anyio.sleep(_PAUSE_SECONDS)
    return _text("Logged three messages.")


async def test_tool_with_progress(ctx: Ctx) -> TextContent:
    """Report progress three times."""
    for done in (0, 50, 100):
        await ctx.report_progress(done, 100)
        await anyio.sleep(_PAUSE_SECONDS)
    return _text("Reported progress.")


async def test_missing_capability(ctx: Ctx) -> TextContent:
    """Work for clients that sample, and for no others."""
    capabilities = ctx.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        needed = ClientCapabilities(sampling=SamplingCapability())
        data = MissingRequiredClientCapabilityErrorData(required_capabilities=needed)
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "The client must declare sampling.",
            data.model_dump(by_alias=True, mode="json", exclude_none=True),
        )
    return _text("The client can sample.")


async def test_x_mcp_header(
    region: Annotated[str, Field(json_schema_extra={"x-mcp-header": "Region"})],
) -> TextContent:
    """Take a parameter that a header repeats."""
    return _text(f"Region {region}")


async def test_reconnection(ctx: Ctx) -> TextContent:
    """Close the stream in the middle of the call."""
    await ctx.close_sse_stream()
    await anyio.sleep(_PAUSE_SECONDS)
    return _text("The stream was closed and the call went on.")


async def test_trigger_tool_change(ctx: Ctx) -> TextContent:
    """Say that the tools have changed."""
    await ctx.notify_tools_changed()
    return _text("Said so.")


async def test_trigger_prompt_change(ctx: Ctx) -> TextContent:
    """Say that the prompts have changed."""
    await ctx.notify_prompts_changed()
    return _text("Said so.")


async def json_schema_2020_12_tool(name: str = "") -> TextContent:
    """Tool with JSON Schema 2020-12 features"""
    return _text(name)


JSON_SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "$defs": {
        "address": {
            "$anchor": "addressDef",
            "type": "object",
            "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
        }
    },
    "properties": {
        "name": {"type": "string"},
        "address": {"$ref": "#/$defs/address"},
        "contactMethod": {"type": "string", "enum": ["phone", "email"]},
        "phone": {"type": "string"},
        "email": {"type": "string"},
    },
    "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
    "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
    "then": {"required": ["phone"]},
    "else": {"required": ["email"]},
    "additionalProperties": False,
}

TOOLS = (
    test_simple_text,
    test_image_content,
    test_audio_content,
    test_embedded_resource,
    test_multiple_content_types,
    test_error_handling,
    test_tool_with_logging,
    test_tool_with_progress,
    test_missing_capability,
    test_x_mcp_header,
    test_reconnection,
    test_trigger_tool_change,
    test_trigger_prompt_change,
    json_schema_2020_12_tool,
)


async def static_text() -> str:
    """Text."""
    return "This is the content of the static text resource."


async def static_binary() -> bytes:
    """An image."""
    return _png()


async def template_data(id: str) -> str:
    """Facts about an id."""
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


async def test_simple_prompt() -> str:
    """A prompt without arguments."""
    return "This is a simple prompt for testing."


async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    """A prompt with two arguments."""
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


async def test_prompt_with_embedded_resource(resourceUri: str) -> list[Message]:
    """A prompt that holds a resource."""
    text = "Embedded resource content for testing."
    resource = _resource(resourceUri, "text/plain", text)
    return [UserMessage(resource), UserMessage("Please process the embedded resource above.")]


async def test_prompt_with_image() -> list[Message]:
    """A prompt that holds an image."""
    return [UserMessage(IMAGE), UserMessage("Please analyze the image above.")]


async def _complete(
    ref: PromptReference | ResourceTemplateReference,
    argument: CompletionArgument,
    context: CompletionContext | None,
) -> Completion:
    places = ["paris", "park", "party"]
    found = [place for place in places if place.startswith(argument.value)]
    return Completion(values=found, total=len(found), has_more=False)


async def _accepted(_ctx: ServerRequestContext[Any], _params: object) -> EmptyResult:
    return EmptyResult()


def register(server: MCPServer[object]) -> None:
    """Add everything that the suite asks for."""
    for tool in TOOLS:
        server.add_tool(tool, structured_output=False)
    manager = server._tool_manager  # pyright: ignore[reportPrivateUsage]  # no raw schemas in 2.3
    schemed = manager.get_tool(json_schema_2020_12_tool.__name__)
    assert schemed is not None
    schemed.parameters = JSON_SCHEMA
    _register_resources(server)
    for prompt in (
        test_simple_prompt,
        test_prompt_with_arguments,
        test_prompt_with_embedded_resource,
        test_prompt_with_image,
    ):
        server.prompt()(prompt)
    server.completion()(_complete)
    register_questions(server)
    low = lowlevel(server)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, _accepted)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, _accepted)
    low.add_request_handler("logging/setLevel", SetLevelRequestParams, _accepted)


def _register_resources(server: MCPServer[object]) -> None:
    for uri in ("test://static-text", "test://watched-resource"):
        server.resource(uri, mime_type="text/plain")(static_text)
    server.resource("test://static-binary", mime_type="image/png")(static_binary)
    template = server.resource("test://template/{id}/data", mime_type="application/json")
    template(template_data)
