"""The server over standard input and output, for the one client that started it."""

from typing import cast

import anyio
from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.session import ServerSession
from mcp.server.stdio import stdio_server

from mcp_memory.app import App
from mcp_memory.interfaces.caller import caller_of
from mcp_memory.interfaces.lines import private_stdin
from mcp_memory.interfaces.mcp.resources import connection_of, lowlevel
from mcp_memory.interfaces.mcp.server import build_server
from mcp_memory.interfaces.process import at_signal, log_to_stderr
from mcp_memory.memory.mail.mailbox import Messages
from mcp_memory.postgres.session import Session

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


async def run_stdio(app: App) -> None:
    """Serve until the client closes our standard input, or a signal asks us to stop.

    Clients kill the process two seconds after closing it: what runs is cancelled, not awaited.
    """
    log_to_stderr(app.config.log_level)
    comfortable = build_server(app)
    if "messages" in app.config.toolsets:
        add_channel(comfortable, app)
    server = lowlevel(comfortable)
    options = server.create_initialization_options(experimental_capabilities={CHANNEL: {}})
    with private_stdin() as lines:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(at_signal, tasks.cancel_scope.cancel)
            tasks.start_soon(app.wake.run)
            # The SDK only iterates over it.
            stdin = cast("anyio.AsyncFile[str]", lines)
            async with stdio_server(stdin=stdin) as (read_stream, write_stream):
                await server.run(read_stream, write_stream, options)
            tasks.cancel_scope.cancel()
