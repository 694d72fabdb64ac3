"""Documents and unread mail as MCP resources."""

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError
from mcp_memory.messaging.models import MailFilter
from mcp_memory.server.caller import caller_of
from mcp_memory.server.push import INBOX
from mcp_memory.server.readable import readable
from mcp_memory.server.tools.message_answers import MailsAnswer

_INBOX_MESSAGES = 100
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
            session = app.session(caller.agent, database)
            return (await app.documents.get(session, path)).text
        except McpMemoryError as exc:
            # Whatever names the wrong thing is "not found" here; 5xx means we could not look.
            kind = ResourceNotFoundError if exc.status < 500 else ResourceError
            raise kind(readable(exc)) from exc


def add_inbox_resource(server: MCPServer[object], app: App) -> None:
    """Register what is unread, to be looked at; looking changes nothing."""

    @server.resource(
        INBOX,
        name="inbox",
        title="Inbox",
        description="Your unread messages, as the action inbox of memory_message shows them.",
        mime_type="application/json",
    )
    async def inbox() -> str:  # pyright: ignore[reportUnusedFunction]  # registered
        caller = caller_of(app)
        try:
            caller.require("read")
            session = app.mail_session(caller.agent)
            caller.require_database(session.database)
            page = await app.messages.inbox(session, MailFilter(), limit=_INBOX_MESSAGES)
        except McpMemoryError as exc:
            raise ResourceError(readable(exc)) from exc
        return MailsAnswer.of_page(page).model_dump_json(exclude_none=True)
