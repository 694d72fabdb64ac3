"""Push inside MCP: clients are told that their agent has mail, in both eras of the protocol.

What is pushed is a hint without content: a client reads `memory://inbox` or calls the tool.
"""

from collections.abc import Callable

from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.context import ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ServerEvent
from mcp_types import (
    INVALID_PARAMS,
    EmptyResult,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)

from mcp_memory.app import App
from mcp_memory.messaging.watching import Tell
from mcp_memory.server.caller import Caller, caller_of
from mcp_memory.server.lowlevel import connection_of, lowlevel

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
