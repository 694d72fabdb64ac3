"""Claude Code's channel: a line in the session that runs, when its agent has mail.

The client acknowledges nothing and drops what it was not told to take (`--channels`): it is a
signal beside the mail, never the way mail comes by. What others wrote is not quoted: it would
stand in the conversation as if somebody there had said it.
"""

from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession

from mcp_memory.app import App
from mcp_memory.db.session import Session
from mcp_memory.messaging.service import Messages
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
            channel = _Channel(app.messages, app.mail_session(agent), connection)
            stop = app.mail_watch.watch(agent, channel.announce)
            connection.exit_stack.callback(stop)
        return await call_next(ctx)

    server.middleware.append(begin)


def _takes_channels(session: ServerSession) -> bool:
    """Claude Code, or any client that names the capability."""
    client, offered = session.client_params, session.client_capabilities
    experimental = (offered.experimental if offered else None) or {}
    return CHANNEL in experimental or (client is not None and client.client_info.name == _CLIENT)


class _Channel:
    """Says that there is mail; who sent it, but nothing of what they wrote."""

    def __init__(self, messages: Messages, session: Session, connection: Connection) -> None:
        self._messages, self._session, self._connection = messages, session, connection
        self._announced, self._newest = set[int](), 0

    async def announce(self) -> None:
        """Say what came since the last time, if anything did."""
        if new := await self._new_ids():
            mails = await self._messages.arrivals(self._session, new[-_NAMED_SENDERS:])
            senders = ", ".join(sorted({mail.sender for mail in mails}))
            unread = await self._messages.unread(self._session)
            content = (
                f"{unread} unread message(s), the latest from {senders}."
                ' memory_message(action="wait") gives them to you.'
            )
            meta = {"unread": str(unread)}
            await self._connection.notify(_METHOD, {"content": content, "meta": meta})

    async def _new_ids(self) -> list[int]:
        """The unread messages that were not announced, oldest first; from now on they are."""
        after = max(0, self._newest - _COMMITTED_LATE)
        recent = await self._messages.unread_ids(self._session, after=after)
        new = [id for id in recent if id not in self._announced]
        self._announced, self._newest = set(recent), max([self._newest, *recent])
        return new
