"""Documents and unread mail as MCP resources."""

from collections.abc import Callable

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp_types import INVALID_PARAMS, EmptyResult, SubscribeRequestParams, UnsubscribeRequestParams

from mcp_memory.app import App
from mcp_memory.errors import McpMemoryError
from mcp_memory.interfaces.caller import Caller, caller_of
from mcp_memory.interfaces.mcp.tools.mail_answers import MailsAnswer
from mcp_memory.interfaces.mcp.tools.tool import readable
from mcp_memory.memory.mail.model import MailFilter
from mcp_memory.memory.mail.watch import Tell


def lowlevel(server: MCPServer[object]) -> Server[object]:
    """The server below the comfortable one: MCPServer cannot be run over streams of one's own."""
    return server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  # no public way in 2.3


def connection_of(session: ServerSession) -> Connection:
    """The connection that a request came over: a session is one request's view of it."""
    return session._connection  # pyright: ignore[reportPrivateUsage]  # no public way in 2.3


INBOX = "memory://inbox"

Context = ServerRequestContext[object, object]


def may_watch(app: App, caller: Caller) -> bool:
    """Whether this caller may read the mail that it would be told of."""
    return "read" in caller.scopes and caller.may_use(app.databases.configured_default)


class MailBus(InMemorySubscriptionBus):
    """`subscriptions/listen` of 2026-07-28: each stream hears of its own caller's mail alone."""

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        """Let a stream hear what is published, and that its caller has mail."""
        leave = super().subscribe(listener)
        caller = caller_of(self._app)
        if not may_watch(self._app, caller):
            return leave

        async def tell() -> None:
            listener(ResourceUpdated(uri=INBOX))

        stop = self._app.mail_watch.watch(caller.agent, tell)

        def end() -> None:
            leave()
            stop()

        return end


def add_inbox_subscriptions(server: MCPServer[object], app: App) -> None:
    """Serve `resources/subscribe` and `resources/unsubscribe` of the handshake era."""
    stops: dict[int, Callable[[], None]] = {}

    def end(key: int) -> None:
        stops.pop(key, lambda: None)()

    async def subscribe(ctx: Context, params: SubscribeRequestParams) -> EmptyResult:
        caller = caller_of(app)
        if str(params.uri) != INBOX or not may_watch(app, caller):
            raise MCPError(
                INVALID_PARAMS, f"Only {INBOX} can be subscribed to, by who may read it."
            )
        connection, session = connection_of(ctx.session), ctx.session
        if id(connection) not in stops:
            tell = _updating(session)
            stops[id(connection)] = app.mail_watch.watch(caller.agent, tell)
            connection.exit_stack.callback(end, id(connection))
        return EmptyResult()

    async def unsubscribe(ctx: Context, params: UnsubscribeRequestParams) -> EmptyResult:
        if str(params.uri) == INBOX:
            end(id(connection_of(ctx.session)))
        return EmptyResult()

    low = lowlevel(server)
    low.add_request_handler("resources/subscribe", SubscribeRequestParams, subscribe)
    low.add_request_handler("resources/unsubscribe", UnsubscribeRequestParams, unsubscribe)


def _updating(session: ServerSession) -> Tell:
    async def tell() -> None:
        await session.send_resource_updated(INBOX)

    return tell


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
        return MailsAnswer.of(page).model_dump_json(exclude_none=True)
