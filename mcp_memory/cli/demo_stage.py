"""Where the demo plays: server processes of two agents, and calls whose answers are checked."""

import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TextIO, cast

from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.types import CallToolResult, TextContent

_CALL_SECONDS = 60.0

Answer = Mapping[str, object]


class UnexpectedAnswer(Exception):
    """The memory did not answer as it must."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One agent at its own server process; each call is entered in the log."""

    name: str
    client: Client
    log: list[str]

    async def call(self, tool: str, **arguments: object) -> Answer:
        """The structured answer of a call that must succeed."""
        result = await self._called(tool, arguments)
        if result.is_error:
            raise UnexpectedAnswer(f"{tool} failed: {_text(result)}")
        return cast("Answer", result.structured_content or {})

    async def refused(self, tool: str, **arguments: object) -> str:
        """What a call that must be refused says."""
        result = await self._called(tool, arguments)
        if not result.is_error:
            raise UnexpectedAnswer(f"{tool} was not refused: {_text(result)}")
        return _text(result)

    async def _called(self, tool: str, arguments: dict[str, object]) -> CallToolResult:
        shown = ", ".join(f"{name}={_short(value)}" for name, value in arguments.items())
        started = time.perf_counter()
        result = await self.client.call_tool(tool, arguments)
        spent = (time.perf_counter() - started) * 1000
        self.log.append(f"{self.name}> {tool}({shown})  {spent:.1f} ms")
        return result


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f'{text[:56]}…"'


def _text(result: CallToolResult) -> str:
    return " ".join(part.text for part in result.content if isinstance(part, TextContent))


def expect(holds: bool, complaint: str) -> None:
    """Go on if it is so; the demo has failed otherwise."""
    if not holds:
        raise UnexpectedAnswer(complaint)


def entries(answer: Answer, name: str) -> list[Answer]:
    """The list of objects under a name of an answer."""
    found = answer.get(name)
    expect(isinstance(found, list), f"the answer has no list {name!r}")
    return cast("list[Answer]", found)


@dataclass(frozen=True, slots=True)
class Stage:
    """Two agents on one database; `log` holds the calls of the step that is under way."""

    ada: Agent
    ben: Agent
    log: list[str] = field(default_factory=list[str])


@asynccontextmanager
async def open_stage(
    command: Sequence[str], environ: Mapping[str, str], errors: TextIO
) -> AsyncGenerator[Stage]:
    """Start a server for each agent as a client does; what the servers log goes to `errors`."""
    log: list[str] = []
    async with AsyncExitStack() as stack:
        agents = [
            Agent(
                name,
                await stack.enter_async_context(_connected(name, command, environ, errors)),
                log,
            )
            for name in ("ada", "ben")
        ]
        yield Stage(agents[0], agents[1], log)


def _connected(
    agent: str, command: Sequence[str], environ: Mapping[str, str], errors: TextIO
) -> Client:
    arguments = [*command[1:], "--agent", f"demo-{agent}"]
    server = StdioServerParameters(command=command[0], args=arguments, env=dict(environ))
    return Client(stdio_client(server, errlog=errors), read_timeout_seconds=_CALL_SECONDS)
