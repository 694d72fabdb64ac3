"""The server over standard input and output, as a real process."""

import json
import os
import shutil
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Literal, cast

import anyio
import anyio.lowlevel
import anyio.to_thread
import psycopg
import pytest
from anyio.abc import Process
from anyio.streams.text import TextReceiveStream
from mcp import Client, StdioServerParameters

from tests.fixtures.calls import Facts, ask, paths, refusal
from tests.fixtures.forks import program_command

pytestmark = pytest.mark.slow

HELLO: Facts = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY: Facts = {"jsonrpc": "2.0", "method": "notifications/initialized"}


@pytest.fixture
def environment(database_url: str, tmp_path: Path) -> dict[str, str]:
    """The variables of a server process on this test's database."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MCP_MEMORY_DATABASE_URL": database_url,
        "MCP_MEMORY_AGENT": "alice",
    }


class Wire:
    """A server process, spoken to line by line."""

    def __init__(self, process: Process) -> None:
        self.process = process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self._stdin = process.stdin
        self._stdout, self._stderr = map(TextReceiveStream, (process.stdout, process.stderr))
        self.lines: list[str] = []
        self.log = ""
        self._rest = ""

    async def send(self, *messages: Facts) -> None:
        """Write each message on a line of its own."""
        for message in messages:
            await self._stdin.send(json.dumps(message).encode() + b"\n")

    async def answer(self, number: int) -> Facts:
        """The answer to the request of that number."""
        while (found := self._found(number)) is None:
            self._take(await self._stdout.receive())
        return found

    async def notification(self, method: str, number: int) -> Facts:
        """The notification of that method that comes as the so-manieth."""
        while len(found := [m for m in self._messages() if m.get("method") == method]) < number:
            self._take(await self._stdout.receive())
        return found[number - 1]

    async def close(self) -> None:
        """Close the server's standard input."""
        await self._stdin.aclose()

    async def ended(self) -> int:
        """The exit code, once everything that was written has been read."""
        async for text in self._stdout:
            self._take(text)
        assert self._rest == ""
        return await self.process.wait()

    async def read_log(self) -> None:
        """Keep what comes on stderr, until its end."""
        async for text in self._stderr:
            self.log += text

    def _found(self, number: int) -> Facts | None:
        return next((message for message in self._messages() if message.get("id") == number), None)

    def _messages(self) -> list[Facts]:
        return [cast("Facts", json.loads(line)) for line in self.lines]

    def _take(self, text: str) -> None:
        *complete, self._rest = (self._rest + text).split("\n")
        self.lines += complete


@asynccontextmanager
async def served(environment: dict[str, str], *, is_cold: bool = False) -> AsyncGenerator[Wire]:
    """A server process that has twenty seconds for the block."""
    with anyio.fail_after(20):
        process = await anyio.open_process(
            program_command("serve", is_cold=is_cold), env=environment
        )
        async with process, anyio.create_task_group() as tasks:
            wire = Wire(process)
            tasks.start_soon(wire.read_log)
            yield wire


def call(number: int, tool: str, **arguments: str) -> Facts:
    """A request for one call of a tool."""
    params: Facts = {"name": tool, "arguments": dict(arguments)}
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_process_remembers_in_both_eras(environment: dict[str, str], mode: str) -> None:
    command, *arguments = program_command("serve")
    parameters = StdioServerParameters(command=command, args=arguments, env=environment)
    for expected in ([], ["a.md"]):
        async with Client(parameters, mode=mode) as client:
            assert len((await client.list_tools()).tools) >= 9
            assert paths(await ask(client, "memory_search", query="zebra")) == expected
            await ask(client, "memory_write", path="a.md", content="the zebra sleeps")
            assert (await ask(client, "memory_current_database"))["agent"] == "alice"
            assert "No document" in await refusal(client, "memory_get", path="b.md")


async def test_stdout_carries_the_protocol_alone(environment: dict[str, str]) -> None:
    async with served(environment | {"MCP_MEMORY_LOG_LEVEL": "debug"}, is_cold=True) as wire:
        await wire.send(HELLO, READY, call(2, "memory_write", path="a.md", content="x"))
        await wire.answer(2)
        await wire.send(call(3, "memory_get", path="none.md"), call(4, "no_such_tool"))
        await wire.answer(3)
        await wire.answer(4)
        await wire.close()
        assert await wire.ended() == 0
    messages = [cast("Facts", json.loads(line)) for line in wire.lines]
    assert {str(message["jsonrpc"]) for message in messages} == {"2.0"}
    assert sorted(str(message["id"]) for message in messages) == ["1", "2", "3", "4"]
    assert "is open at migration" in wire.log
    assert "MCP_MEMORY" not in wire.log


async def test_a_line_that_is_no_message_does_not_end_the_stream(
    environment: dict[str, str],
) -> None:
    async with served(environment) as wire:
        await wire.send(HELLO, READY)
        await wire.answer(1)
        await wire.send(cast("Facts", "not a message"))
        await wire.send(call(2, "memory_list"))
        assert "result" in await wire.answer(2)
        await wire.close()
        assert await wire.ended() == 0


@pytest.mark.parametrize("how", ["close", "term", "interrupt"])
async def test_the_end_of_a_client_ends_what_it_had_started(
    environment: dict[str, str],
    database_url: str,
    how: Literal["close", "term", "interrupt"],
) -> None:
    async with (
        served(environment) as wire,
        await psycopg.AsyncConnection.connect(database_url) as conn,
    ):
        await wire.send(HELLO, READY, call(2, "memory_list"))
        await wire.answer(2)
        await conn.execute("LOCK TABLE mcp_memory.documents IN SHARE MODE")
        await wire.send(call(3, "memory_write", path="a.md", content="x"))
        await _until_backends(conn, waiting=1)
        match how:
            case "close":
                await wire.close()
            case "term":
                wire.process.send_signal(signal.SIGTERM)
            case "interrupt":
                wire.process.send_signal(signal.SIGINT)
        assert await wire.ended() == 0
        await _until_backends(conn, waiting=0)
        assert "Traceback" not in wire.log


async def _until_backends(conn: psycopg.AsyncConnection, *, waiting: int) -> None:
    """Return once so many backends of the server process wait for a lock, or none is left."""
    found = -1
    while found != waiting:
        await conn.execute("SELECT pg_stat_clear_snapshot()")
        cursor = await conn.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'mcp-memory'"
            " AND (%(waiting)s = 0 OR wait_event_type = 'Lock')",
            {"waiting": waiting},
        )
        row = await cursor.fetchone()
        assert row is not None
        found = int(row[0])


async def test_the_embedded_cluster_is_left_with_the_client(tmp_path: Path) -> None:
    folder = Path("/tmp") / f"mcpm-stdio-{os.getpid()}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MCP_MEMORY__EMBEDDED__DATA_DIR": str(folder),
    }
    for _ in range(2):
        async with served(environment) as wire:
            await wire.send(HELLO, READY, call(2, "memory_write", path="a.md", content="x"))
            assert "result" in await wire.answer(2)
            await wire.close()
            assert await wire.ended() == 0
    with anyio.fail_after(10):
        while list(folder.rglob("postmaster.pid")):
            await anyio.lowlevel.checkpoint()
    await anyio.to_thread.run_sync(partial(shutil.rmtree, folder, ignore_errors=True))


@pytest.mark.parametrize(
    ("name", "value", "near"),
    [
        ("MCP_MEMORY_DATABSE_URL", "postgresql://h/x", "MCP_MEMORY_DATABASE_URL"),
        ("MCP_MEMORY__SEARCH__MIN_SCROE", "0.5", "MCP_MEMORY__SEARCH__MIN_SCORE"),
        ("MCP_MEMORY__SEARCH__MIN_SCORE", "high", "MIN_SCORE"),
    ],
)
async def test_a_misspelt_variable_stops_the_start_by_name(
    environment: dict[str, str], name: str, value: str, near: str
) -> None:
    async with served(environment | {name: value}) as wire:
        assert await wire.ended() == 1
    assert wire.lines == []
    assert name in wire.log
    assert near.lower() in wire.log.lower()
