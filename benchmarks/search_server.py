"""The stdio server that benchmarks/search.py measures: ours, and one tool that does nothing."""

import json
import os
import sys
from functools import cache
from pathlib import Path

import anyio
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, TextContent

from mcp_memory.app import open_app
from mcp_memory.config import load
from mcp_memory.interfaces.mcp.resources import lowlevel
from mcp_memory.interfaces.mcp.server import build_server
from mcp_memory.interfaces.process import log_to_stderr


@cache
def _payload() -> CallToolResult:
    text = Path(sys.argv[1]).read_text("utf-8")
    return CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=json.loads(text)
    )


async def empty(query: str, min_score: float) -> CallToolResult:
    """Return what the file holds."""
    del query, min_score
    return _payload()


async def serve() -> None:
    """Serve until standard input is closed."""
    log_to_stderr("warning")
    async with open_app(load(None, os.environ, {})) as app:
        built = build_server(app)
        built.add_tool(empty, structured_output=False)
        server = lowlevel(built)
        async with stdio_server() as (read_stream, write_stream):
            await server.run(read_stream, write_stream, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(serve)
