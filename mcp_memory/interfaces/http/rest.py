"""HTTP for programs that speak no MCP: `GET /api/search` and `POST /api/ingest`.

Both call the tools, with their parameters by name, and answer what those return. A refusal is the
site's usual one.
"""

from collections.abc import Mapping, Sequence

from pydantic import JsonValue
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput, McpMemoryError
from mcp_memory.interfaces.caller import acting_for
from mcp_memory.interfaces.http.gate import caller_in
from mcp_memory.interfaces.http.site import is_json
from mcp_memory.interfaces.mcp.server import tools_of
from mcp_memory.interfaces.mcp.tools.arguments import parse_json
from mcp_memory.interfaces.mcp.tools.schemas import properties_of
from mcp_memory.interfaces.mcp.tools.tool import MemoryTool, Observe, readable

SEARCH_PATH, INGEST_PATH = "/api/search", "/api/ingest"


def rest_routes(app: App, observe: Observe) -> Sequence[BaseRoute]:
    """The routes of those tools that the configuration's toolsets hold."""
    tools = {tool.name: tool for tool in tools_of(app, observe)}

    async def search(request: Request) -> Response:
        tool = _tool(tools, "memory_search")
        return await _answer(request, tool, _arguments(tool, request.query_params))

    async def ingest(request: Request) -> Response:
        name, arguments = _choose_tool(await _document(request))
        return await _answer(request, _tool(tools, name), arguments)

    return [
        Route(SEARCH_PATH, search, methods=["GET"]),
        Route(INGEST_PATH, ingest, methods=["POST"]),
    ]


async def _answer(
    request: Request, tool: MemoryTool, arguments: Mapping[str, JsonValue]
) -> Response:
    """The tool's answer to whoever the request comes from."""
    try:
        with acting_for(caller_in(request)):
            answer = await tool.answer(arguments)
    except McpMemoryError as exc:
        raise HTTPException(exc.status, readable(exc)) from exc
    return JSONResponse(answer.facts())


def _tool(tools: Mapping[str, MemoryTool], name: str) -> MemoryTool:
    if name not in tools:
        raise HTTPException(404, f"The settings' toolsets leave {name} out.")
    return tools[name]


def _arguments(tool: MemoryTool, query: QueryParams) -> dict[str, JsonValue]:
    """The query's parameters; a list is one that is given several times, or JSON."""
    properties = properties_of(tool.parameters)
    arguments: dict[str, JsonValue] = {}
    for name in query:
        given = query.getlist(name)
        is_list = properties.get(name, {}).get("type") == "array"
        if is_list and not (len(given) == 1 and given[0].startswith("[")):
            arguments[name] = [*given]
        elif len(given) == 1:
            arguments[name] = given[0]
        else:
            raise InvalidInput(name, "is given more than once")
    return arguments


async def _document(request: Request) -> dict[str, JsonValue]:
    """The body, a JSON object."""
    if not is_json(request.headers):
        raise HTTPException(415, "The body must be JSON: Content-Type: application/json.")
    try:
        document = parse_json(await request.body())
    except (ValueError, RecursionError) as exc:
        raise InvalidInput("body", "is no JSON") from exc
    if not isinstance(document, dict):
        raise InvalidInput("body", "use an object")
    return document


def _choose_tool(document: dict[str, JsonValue]) -> tuple[str, dict[str, JsonValue]]:
    """The tool that takes what the body holds: a document, or messages of a session."""
    if "path" in document:
        return "memory_write", document
    if "session_id" in document:
        return "transcript", document | {"action": "append"}
    raise InvalidInput(
        "body", "give path and content for a document, or session_id and messages for what was said"
    )
