"""How many files one call of a tool walks: the package's files, functions, and changes of folder.

    python -m lab.trace_files

Each call is entered warm (made once before), through an in-process client; what background tasks
do meanwhile, and what is left to a thread, is not counted.
"""

import os
import re
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType

import anyio
from mcp.client import Client
from rich.console import Console
from rich.table import Table

import mcp_memory
from mcp_memory.app import App, open_app
from mcp_memory.config import load
from mcp_memory.interfaces.mcp.server import build_server

PACKAGE = Path(mcp_memory.__file__).parent

_is_traced: ContextVar[bool] = ContextVar("is_traced", default=False)


@dataclass(frozen=True, slots=True)
class Walk:
    """The functions of the package that a call entered, in the order of their first entry."""

    functions: tuple[tuple[str, str], ...]

    @property
    def files(self) -> tuple[str, ...]:
        """Paths from the package's folder, in the order in which they were entered."""
        return tuple(dict.fromkeys(file for file, _ in self.functions))

    @property
    def folder_changes(self) -> int:
        """How often the next new function lies in another folder than the one before."""
        folders = [str(Path(file).parent) for file, _ in self.functions]
        return sum(before != after for before, after in pairwise(folders))


async def walk_of(call: Callable[[], Awaitable[object]]) -> Walk:
    """What a call walks once it is warm.

    What is kept for some seconds, such as a database's vector spaces, may be read anew in any one
    call: the shorter of two is taken.
    """
    await call()
    return min([await _walk(call), await _walk(call)], key=lambda walk: len(walk.files))


async def _walk(call: Callable[[], Awaitable[object]]) -> Walk:
    entered: dict[CodeType, None] = {}

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and _is_traced.get():
            entered.setdefault(frame.f_code)

    token = _is_traced.set(True)
    sys.setprofile(note)
    try:
        await call()
    finally:
        sys.setprofile(None)
        _is_traced.reset(token)
    return Walk(tuple(_own(entered)))


def _own(entered: Mapping[CodeType, None]) -> list[tuple[str, str]]:
    """Those of the package; a lambda or a generator counts as the function that it stands in."""
    own: dict[tuple[str, str], None] = {}
    for code in entered:
        file = Path(code.co_filename)
        if file.is_relative_to(PACKAGE):
            name = code.co_qualname.split(".<locals>.<")[0]
            own[file.relative_to(PACKAGE).as_posix(), name] = None
    return list(own)


async def walks(client: Client, other: Client) -> dict[str, Walk]:
    """The calls whose files are counted; `other` sends the mail that `wait` waits for."""

    def tool(name: str, **arguments: object) -> Callable[[], Awaitable[object]]:
        return lambda: _answer(client, name, arguments)

    while len(await _known_agents(client) & await _known_agents(other)) < 2:  # noqa: ASYNC110 - no event tells
        # Who calls is noted in so much time as there is.
        await anyio.sleep(0.1)
    for number in range(3):
        content = f"The lighthouse keeps its backups for {number + 1} days, says Ben."
        await _answer(client, "memory_write", {"path": f"{number}.md", "content": content})
    await _answer(other, "memory_message", {"action": "send", "to": "ada", "content": "Hello."})
    while await _is_embedding(client):  # noqa: ASYNC110 - no event tells
        await anyio.sleep(0.1)
    counter = iter(range(1_000))

    async def append_message() -> None:
        message = {"role": "user", "content": f"The boat number {next(counter)} is at the pier."}
        arguments = {"action": "append", "session_id": "s", "messages": [message]}
        await _answer(client, "transcript", arguments)

    async def search() -> None:
        query = f"lighthouse backups {next(counter)}"
        await _answer(client, "memory_search", {"query": query, "min_score": 0})

    async def store() -> None:
        content = f"Ben has worked at Acme for {next(counter)} years."
        entities = [{"name": "Ben", "type": "person"}]
        relations = [{"subject": "Ben", "relation": "works_at", "object": "Acme"}]
        arguments = {"content": content, "entities": entities, "relations": relations}
        await _answer(client, "memory_graph_store", arguments)

    calls = {
        "memory_search": search,
        "transcript append": append_message,
        "memory_message inbox": tool("memory_message", action="inbox"),
        "memory_message send": tool("memory_message", action="send", to="ben", content="Hi."),
        "memory_message wait": tool("memory_message", action="wait", timeout_seconds=0),
        "memory_graph_store": store,
    }
    return {name: await walk_of(call) for name, call in calls.items()}


async def _known_agents(client: Client) -> set[str]:
    result = await client.call_tool("memory_message", {"action": "agents"})
    return set(re.findall(r'"agent":"(\w+)"', str(result.content)))


async def _is_embedding(client: Client) -> bool:
    result = await client.call_tool("memory_current_database", {})
    return '"pending_embeddings":0' not in str(result.content)


async def _answer(client: Client, tool: str, arguments: Mapping[str, object]) -> None:
    result = await client.call_tool(tool, dict(arguments))
    if result.is_error:
        raise RuntimeError(f"{tool}: {result.content}")


@asynccontextmanager
async def _client(folder: Path, agent: str) -> AsyncGenerator[Client]:
    """A client of an app in this process, whose database lies in the folder."""
    settings = {
        "MCP_MEMORY_DATA_DIR": str(folder / "data"),
        "MCP_MEMORY_AGENT": agent,
        "MCP_MEMORY__EMBEDDINGS__PROVIDER": "hashing",
    }
    environment = {n: v for n, v in os.environ.items() if not n.startswith("MCP_MEMORY")}
    async with open_app(load(None, environment | settings)) as app, client_of(app) as client:
        yield client


@asynccontextmanager
async def client_of(app: App) -> AsyncGenerator[Client]:
    """A client of this app, without a transport between them."""
    async with Client(build_server(app)) as client:
        yield client


async def _walks_in(folder: Path) -> dict[str, Walk]:
    async with _client(folder, "ada") as client, _client(folder, "ben") as other:
        return await walks(client, other)


def _main() -> None:
    with tempfile.TemporaryDirectory(prefix="trace-", dir="/tmp") as folder:
        # Root's PostgreSQL runs as somebody else.
        Path(folder).chmod(0o755)
        counted = anyio.run(_walks_in, Path(folder))
    table = Table("call", "files", "functions", "changes of folder")
    for name, walk in counted.items():
        counts = (len(walk.files), len(walk.functions), walk.folder_changes)
        table.add_row(name, *map(str, counts))
    Console().print(table)
    if "--files" in sys.argv:
        for name, walk in counted.items():
            print(f"{name}:", *walk.files, sep="\n  ")


if __name__ == "__main__":
    _main()
