"""`mcp-memory bridge` as a process: standard input and output, signals, the heartbeat."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

import anyio

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.bridge import protocol
from mcp_memory.interfaces.bridge.events import Announcer
from mcp_memory.interfaces.bridge.protocol import Output, Params, write_to
from mcp_memory.interfaces.bridge.requests import Method, Session
from mcp_memory.interfaces.lines import private_stdin, private_stdout
from mcp_memory.interfaces.mcp.server import tools_of
from mcp_memory.interfaces.mcp.tools.tool import MemoryTool
from mcp_memory.interfaces.process import at_signal, log_to_stderr


def methods_of(app: App) -> dict[str, Method]:
    """Every method by name; `_cancel` and `_shutdown` are the session's own."""
    tools: dict[str, Method] = {tool.name: partial(_call, tool) for tool in tools_of(app)}
    own: dict[str, Method] = {
        "_subscribe": partial(_subscribe, app),
        "_unsubscribe": partial(_unsubscribe, app),
        "_ping": _ping,
    }
    return tools | own


async def _call(tool: MemoryTool, params: Params) -> Mapping[str, object]:
    return (await tool.answer(params)).facts()


async def _subscribe(app: App, params: Params) -> Mapping[str, object]:
    session = app.mail_session(app.config.agent)
    await app.directory.subscribe(session, _channel(params))
    return {"channels": await app.directory.subscriptions(session)}


async def _unsubscribe(app: App, params: Params) -> Mapping[str, object]:
    session = app.mail_session(app.config.agent)
    await app.directory.unsubscribe(session, _channel(params))
    return {"channels": await app.directory.subscriptions(session)}


async def _ping(params: Params) -> Mapping[str, object]:
    if params:
        raise InvalidInput(next(iter(params)), "is not a parameter of _ping")
    return {"at": now()}


def _channel(params: Params) -> str:
    match params:
        case {"channel": str() as channel, **rest} if not rest:
            return channel
        case _:
            raise InvalidInput("channel", "is required: a text, and nothing else")


def now() -> str:
    """This instant, as every protocol of ours tells it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
        await output.send(protocol.event("heartbeat", at=now()))
