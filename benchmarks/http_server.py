"""The server that benchmarks/http.py measures: ours, and one tool that does nothing."""

import os
import sys

import anyio
import uvicorn
from mcp_types import TextContent

from mcp_memory.app import open_app
from mcp_memory.config import load
from mcp_memory.interfaces.http.server import http_server, site_around
from mcp_memory.interfaces.http.traffic import Traffic
from mcp_memory.interfaces.process import log_to_stderr


async def empty() -> TextContent:
    """Do nothing."""
    return TextContent(type="text", text="{}")


async def serve(port: int) -> None:
    """Serve until the process is ended."""
    config = load(None, os.environ, {})
    log_to_stderr("warning")
    url, traffic = f"http://127.0.0.1:{port}", Traffic()
    async with open_app(config) as app:
        server = http_server(app, url, traffic)
        server.add_tool(empty, structured_output=False)
        site = site_around(server, app, url, traffic)
        settings = uvicorn.Config(site, port=port, log_config=None, access_log=False)
        await uvicorn.Server(settings).serve()


if __name__ == "__main__":
    anyio.run(serve, int(sys.argv[1]))
