"""The server over standard input and output, for the one client that started it."""

from typing import cast

import anyio
from mcp.server.stdio import stdio_server

from mcp_memory.app import App
from mcp_memory.server.build import build_server
from mcp_memory.server.channel import CHANNEL, add_channel
from mcp_memory.server.lines import private_stdin
from mcp_memory.server.logs import log_to_stderr
from mcp_memory.server.lowlevel import lowlevel
from mcp_memory.server.signals import at_signal


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
