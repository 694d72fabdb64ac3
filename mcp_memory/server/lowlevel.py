"""The one place that reaches into what the SDK keeps private."""

from mcp.server import MCPServer
from mcp.server.lowlevel import Server


def lowlevel(server: MCPServer[object]) -> Server[object]:
    """The server below the comfortable one: MCPServer cannot be run over streams of one's own."""
    return server._lowlevel_server  # pyright: ignore[reportPrivateUsage]  # no public way in 2.3
