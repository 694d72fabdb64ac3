"""Documents as MCP resources."""

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError
from mcp_memory.server.caller import caller_of
from mcp_memory.server.readable import readable

DOCUMENT = "memory://{database}/documents/{+path}"


def add_document_resources(server: MCPServer[object], app: App) -> None:
    """Register the template by which a client reads a document whole."""

    @server.resource(
        DOCUMENT,
        name="document",
        title="Document",
        description="A document of a named database, by its path.",
        mime_type="text/markdown",
    )
    async def document(database: str, path: str) -> str:  # pyright: ignore[reportUnusedFunction]  # registered
        caller = caller_of(app)
        try:
            caller.require("read")
            caller.require_database(database)
            return (await app.documents.get(caller.agent, path, database=database)).text
        except McpMemoryError as exc:
            # Whatever names the wrong thing is "not found" here; 5xx means we could not look.
            kind = ResourceNotFoundError if exc.status < 500 else ResourceError
            raise kind(readable(exc)) from exc
