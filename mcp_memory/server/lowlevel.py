"""The one place that reaches into what the SDK keeps private."""

from mcp.server import MCPServer
from mcp.server.connection import Connection
from mcp.server.lowlevel import Server
from mcp.server.session import ServerSession


def lowlevel(server: MCPServer[object]) -> Server[object]:
    """The server below the comfortable one: MCPServer cannot be run over streams of one's own."""
    return server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  # no public way in 2.3


def connection_of(session: ServerSession) -> Connection:
    """The connection that a request came over: a session is one request's view of it."""
    return session._connection  # pyright: ignore[reportPrivateUsage]  # no public way in 2.3
