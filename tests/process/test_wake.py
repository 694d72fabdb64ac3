"""Servers as real processes that share one outbox: killed between attempts, and side by side."""

import json
import os
import signal
import subprocess
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from mcp_memory.app import App
from tests.fixtures.mail import arrive, send
from tests.fixtures.program import Program
from tests.fixtures.wake import QUICK, until_bell, until_problem
from tests.fixtures.wake_endpoint import Endpoint, endpoint, status

pytestmark = pytest.mark.slow


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Path:
    """Where the servers' settings lie; written by `server`."""
    del database_url
    return tmp_path / "config.json"


@asynccontextmanager
async def server(
    settings: Path, url: str, receiver: Endpoint, **wake: object
) -> AsyncGenerator[int]:
    """The process id of a server by which bob is woken; killed at the end, if it still runs."""
    process = _started(settings, url, receiver, wake)
    try:
        yield process.pid
    finally:
        process.kill()
        await anyio.to_thread.run_sync(process.communicate)


def _started(
    settings: Path, url: str, receiver: Endpoint, wake: Mapping[str, object]
) -> "subprocess.Popen[str]":
    document = {
        "database": {"url": url},
        "embeddings": {"provider": "hashing"},
        "wake": {**QUICK, **wake},
        "wake_routes": {"bob": {"kind": "webhook", "url": receiver.url(), "timeout_seconds": 2}},
    }
    settings.write_text(json.dumps(document))
    program = Program({"HOME": str(settings.parent), "MCP_MEMORY_CONFIG": str(settings)})
    return program.start("serve", "--transport", "streamable-http", "--port", "0")


def accepted(receiver: Endpoint) -> Counter[str]:
    """How often each message was rung for, as an endpoint counts that knows keys."""
    by_key = {heard.key: heard.told["message_ids"] for heard in receiver.heard}
    return Counter(number for numbers in by_key.values() for number in numbers)


async def test_a_server_killed_between_attempts_is_taken_over_with_the_same_key(
    app: App, settings: Path, database_url: str
) -> None:
    await arrive(app, "alice", "bob")
    async with endpoint(status(500)) as receiver:
        async with server(settings, database_url, receiver, retry_seconds=3) as pid:
            number = await send(app, "alice", "bob", "hello")
            await receiver.until_heard(1)
            await until_problem(app, "alice", number)
            os.kill(pid, signal.SIGKILL)
        async with server(settings, database_url, receiver):
            heard = await receiver.until_heard(2)
            await until_bell(app, "alice", number, "rung")

    assert [each.key for each in heard] == [heard[0].key] * 2
    assert [each.headers["x-mcp-memory-attempt"] for each in heard] == ["1", "2"]


async def test_a_server_killed_in_an_attempt_is_taken_over_when_its_lease_ends(
    app: App, settings: Path, database_url: str
) -> None:
    await arrive(app, "alice", "bob")
    async with endpoint("hang") as receiver:
        async with server(settings, database_url, receiver) as pid:
            number = await send(app, "alice", "bob", "hello")
            await receiver.until_heard(1)
            os.kill(pid, signal.SIGKILL)
        async with server(settings, database_url, receiver):
            heard = await receiver.until_heard(2)
            rung = await until_bell(app, "alice", number, "rung")

    assert rung.attempts == 2
    assert heard[0].key == heard[1].key
    assert heard[0].body == heard[1].body


async def test_a_route_that_was_added_is_rung_by_a_server_that_nobody_has_called(
    app: App, settings: Path, database_url: str
) -> None:
    document = {
        "database": {"url": database_url},
        "embeddings": {"provider": "hashing"},
        "wake": {**QUICK, "allowed_targets": ["127.0.0.1"]},
    }
    await anyio.Path(settings).write_text(json.dumps(document))
    own = Program({"HOME": str(settings.parent), "MCP_MEMORY_CONFIG": str(settings)})
    await arrive(app, "alice", "bob")
    async with endpoint() as door:
        arguments = ("wake", "add", "bob", "--kind", "webhook", "--url", door.url())
        assert (await anyio.to_thread.run_sync(own.run, *arguments)).code == 0
        process = own.start("serve", "--transport", "streamable-http", "--port", "0")
        try:
            number = await send(app, "alice", "bob", "hello")
            await until_bell(app, "alice", number, "rung")
        finally:
            process.kill()
            await anyio.to_thread.run_sync(process.communicate)
    assert [heard.told["message_ids"] for heard in door.heard] == [[str(number)]]


async def test_two_servers_ring_for_each_message_once(
    app: App, settings: Path, database_url: str
) -> None:
    await arrive(app, "alice", "bob")
    answers = [status(200), status(500), "close", status(200), status(429, "Retry-After: 0")]
    async with (
        endpoint(*answers * 2) as receiver,
        server(settings, database_url, receiver),
        server(settings, database_url, receiver),
    ):
        numbers: list[int] = []
        # Each while the one before is being rung for: all at once would be one ring.
        for each in range(12):
            numbers.append(await send(app, "alice", "bob", f"{each}"))
            await receiver.until_heard(each + 1)
        for number in numbers:
            await until_bell(app, "alice", number, "rung")

    assert accepted(receiver) == Counter(map(str, numbers))
    # Who knows no keys is rung for each at least once, and again after what he did not confirm.
    heard = Counter(number for each in receiver.heard for number in each.told["message_ids"])
    assert heard.keys() == set(map(str, numbers))
    assert heard.total() > len(numbers)
    assert len({each.key for each in receiver.heard}) > 5
