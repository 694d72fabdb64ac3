"""`mcp-memory bridge` as a process: standard input and output, signals, the heartbeat."""

import anyio

from mcp_memory.app import App
from mcp_memory.server.bridge import wire
from mcp_memory.server.bridge.announcing import Announcer
from mcp_memory.server.bridge.methods import methods_of, now
from mcp_memory.server.bridge.output import Output, write_to
from mcp_memory.server.bridge.session import Session
from mcp_memory.server.lines import private_stdin, private_stdout
from mcp_memory.server.logs import log_to_stderr
from mcp_memory.server.signals import at_signal

HEARTBEAT_SECONDS = 30.0
# JSON may need six characters for one; a request carries more than its content.
_ESCAPED = 6
_BESIDE_CONTENT = 65_536


async def run_bridge(app: App) -> None:
    """Speak the bridge's protocol until the input ends, `_shutdown` or a signal."""
    log_to_stderr(app.config.log_level)
    longest = app.config.limits.content_bytes * _ESCAPED + _BESIDE_CONTENT
    with (
        private_stdin(errors="surrogateescape", longest=longest) as lines,
        private_stdout() as descriptor,
    ):
        async with write_to(descriptor) as output, anyio.create_task_group() as tasks:
            session = Session(output, methods_of(app), longest=longest)
            starting = anyio.CancelScope()

            def stop() -> None:
                starting.cancel()
                session.stop()

            tasks.start_soon(at_signal, stop)
            tasks.start_soon(app.wake.run)
            with starting:
                await tasks.start(Announcer(app, output).run)
                tasks.start_soon(beat, output, HEARTBEAT_SECONDS)
            await session.serve(lines)
            tasks.cancel_scope.cancel()


async def beat(output: Output, seconds: float) -> None:
    """Say every so many seconds that the bridge lives, until cancelled."""
    while True:
        await anyio.sleep(seconds)
        await output.send(wire.event("heartbeat", at=now()))
