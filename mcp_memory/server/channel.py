"""Claude Code's channel: a line in the session that runs, when its agent has mail.

The client acknowledges nothing and drops what it was not told to take (`--channels`): it is a
doorbell beside the mail, never the way mail comes by. What others wrote is not quoted: it would
stand in the conversation as if somebody there had said it.
"""

from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession

from mcp_memory.app import App
from mcp_memory.server.caller import caller_of
from mcp_memory.server.lowlevel import connection_of

CHANNEL = "claude/channel"
_METHOD = "notifications/claude/channel"
_CLIENT = "claude-code"
_NAMED_SENDERS = 5
# Who began to send before others may commit after them.
_COMMITTED_LATE = 1000

Context = ServerRequestContext[object, object]


def add_channel(server: MCPServer[object], app: App) -> None:
    """Wake Claude Code, once for each message, where the client takes channel notifications."""

    async def begin(ctx: Context, call_next: CallNext) -> HandlerResult:
        if ctx.method == "notifications/initialized" and _takes_channels(ctx.session):
            agent, connection = caller_of(app).agent, connection_of(ctx.session)
            stop = app.mail_watch.watch(agent, _ChannelBell(app, agent, connection).ring)
            connection.exit_stack.callback(stop)
        return await call_next(ctx)

    server.middleware.append(begin)


def _takes_channels(session: ServerSession) -> bool:
    """Claude Code, or any client that names the capability."""
    client, offered = session.client_params, session.client_capabilities
    experimental = (offered.experimental if offered else None) or {}
    return CHANNEL in experimental or (client is not None and client.client_info.name == _CLIENT)


class _ChannelBell:
    """Says that there is mail; who sent it, but nothing of what they wrote."""

    def __init__(self, app: App, agent: str, connection: Connection) -> None:
        self._app, self._agent, self._connection = app, agent, connection
        self._told, self._newest = set[int](), 0

    async def ring(self) -> None:
        """Tell of what came since the last ring, if anything did."""
        if new := await self._untold():
            mails = await self._app.messages.arrivals(self._agent, new[-_NAMED_SENDERS:])
            senders = ", ".join(sorted({mail.sender for mail in mails}))
            unread = await self._app.messages.unread(self._agent)
            content = (
                f"{unread} unread message(s), the latest from {senders}."
                ' memory_message(action="wait") gives them to you.'
            )
            meta = {"unread": str(unread)}
            await self._connection.notify(_METHOD, {"content": content, "meta": meta})

    async def _untold(self) -> list[int]:
        """The unread messages that no ring was for, oldest first; from now on one was."""
        after = max(0, self._newest - _COMMITTED_LATE)
        recent = await self._app.messages.unread_ids(self._agent, after=after)
        new = [id for id in recent if id not in self._told]
        self._told, self._newest = set(recent), max([self._newest, *recent])
        return new
