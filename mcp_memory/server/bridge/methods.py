"""What a bridge's requests can ask for: every tool, and its own few methods."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.server.bridge.session import Method
from mcp_memory.server.bridge.wire import Params
from mcp_memory.server.build import tools_of
from mcp_memory.server.toolset import MemoryTool


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
