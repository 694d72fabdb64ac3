"""Real servers and real clients: several at once, on every transport, in both eras."""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace

import anyio
import httpx2
import psycopg
import pytest
from mcp import Client

from mcp_memory.app import App
from mcp_memory.memory.keys import NewKey
from tests.fixtures.calls import ask, paths
from tests.fixtures.servers import Environ, Running, bearer, environ_of, running, start, stdio

pytestmark = pytest.mark.slow


@pytest.fixture
def environ(database_url: str) -> Environ:
    return environ_of(database_url, MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing")


@pytest.fixture
def server(environ: Environ) -> Iterator[Running]:
    with running(environ) as started:
        yield started


async def key(app: App, agent: str) -> str:
    return (await app.keys.create(NewKey(agent))).text


async def test_every_transport_at_once_shows_each_its_own_and_what_is_shared(
    app: App, environ: Environ
) -> None:
    keys = {agent: await key(app, agent) for agent in ("sse", "first", "second")}
    async with AsyncExitStack() as stack:
        # Two processes: nothing that matters lives in one of them.
        one, two = [stack.enter_context(running(environ)) for _ in range(2)]
        clients: dict[str, Client] = {
            "stdio": await stack.enter_async_context(stdio(environ, "stdio")),
            "sse": await stack.enter_async_context(one.sse(keys["sse"])),
            "first": await stack.enter_async_context(one.client(keys["first"])),
            "second": await stack.enter_async_context(two.client(keys["second"], mode="legacy")),
        }
        for agent, client in clients.items():
            await ask(client, "memory_write", path=f"{agent}/own.md", content="marmalade")
            await ask(
                client, "memory_write", path=f"{agent}/all.md", content="marmalade", shared=True
            )
        for agent, client in clients.items():
            found = await ask(
                client, "memory_search", query="marmalade", min_score=0, max_results=20
            )
            shared = [f"{other}/all.md" for other in clients]
            assert sorted(paths(found)) == sorted([*shared, f"{agent}/own.md"])


@pytest.fixture
async def eras(server: Running) -> AsyncIterator[list[Client]]:
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(connect(mode=mode))
            for connect in (server.client, server.sse)
            for mode in ("2026-07-28", "legacy")
        ]


async def test_both_eras_are_served_on_both_transports(eras: list[Client]) -> None:
    facts = [await ask(client, "memory_current_database") for client in eras]
    assert [fact["agent"] for fact in facts] == ["default"] * 4
    assert [client.protocol_version for client in eras] == ["2026-07-28", "2025-11-25"] * 2


async def test_a_revoked_key_ends_calls_and_open_streams_in_every_process(
    app: App, environ: Environ
) -> None:
    issued = await app.keys.create(NewKey("alice"))
    with running(environ) as server:
        async with (
            httpx2.AsyncClient(headers=bearer(issued.text), timeout=30) as http,
            http.stream(
                "GET", f"{server.url}/sse", headers={"Accept": "text/event-stream"}
            ) as stream,
        ):
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: endpoint"
            # Another process revokes it, as `mcp-memory keys revoke` does.
            await app.keys.revoke(issued.key.id)
            assert (await http.post(f"{server.url}/mcp")).status_code == 401
            with anyio.fail_after(30):
                rest = [line async for line in lines if line.startswith("event")]
    assert rest == []


async def test_a_slow_call_does_not_make_another_wait(server: Running, database_url: str) -> None:
    done: list[str] = []

    async def write(client: Client, path: str) -> None:
        await ask(client, "memory_write", path=path, content="x")
        done.append(path)

    async with server.client() as slow, server.client() as quick:
        await ask(quick, "memory_write", path="slow.md", content="x")
        with psycopg.connect(database_url) as conn:
            conn.execute("SELECT FROM mcp_memory.documents WHERE path = 'slow.md' FOR UPDATE")
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(write, slow, "slow.md")
                with anyio.fail_after(30):
                    await until_somebody_waits(database_url)
                    await write(quick, "quick.md")
                assert done == ["quick.md"]
                conn.rollback()
    assert done == ["quick.md", "slow.md"]


WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"


async def until_somebody_waits(database_url: str) -> None:
    """Look until a backend stands before our lock; there is no event to wait for."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        while True:
            row = await (await conn.execute(WAITING, [conn.info.dbname])).fetchone()
            if row and row[0]:
                return


async def test_a_signal_lets_the_calls_finish(server: Running, database_url: str) -> None:
    answers: list[object] = []

    async def write(client: Client) -> None:
        answers.append(await ask(client, "memory_write", path="slow.md", content="y"))

    async with AsyncExitStack() as stack:
        clients = [
            await stack.enter_async_context(connect()) for connect in (server.client, server.sse)
        ]
        for client in clients:
            await ask(client, "memory_write", path="slow.md", content="x")
        with psycopg.connect(database_url) as conn:
            conn.execute("SELECT FROM mcp_memory.documents WHERE path = 'slow.md' FOR UPDATE")
            async with anyio.create_task_group() as tasks:
                for client in clients:
                    tasks.start_soon(write, client)
                with anyio.fail_after(30):
                    await until_somebody_waits(database_url)
                    server.process.terminate()
                    await until_it_takes_nothing_new(server)
                conn.rollback()
    assert len(answers) == 2
    assert server.process.wait(30) == 0


async def until_it_takes_nothing_new(server: Running) -> None:
    """Ask until the server says that it is stopping; there is no event to wait for."""
    async with httpx2.AsyncClient() as http:
        while (await http.get(f"{server.url}/healthz")).status_code == 200:
            pass


async def test_without_keys_nothing_but_loopback_starts(environ: Environ) -> None:
    for options, variables in (
        (("--host", "0.0.0.0"), {}),
        ((), {"MCP_MEMORY__HTTP__ALLOWED_HOSTS": '["memory.example.com"]'}),
        ((), {"MCP_MEMORY__HTTP__PUBLIC_URL": "https://memory.example.com"}),
    ):
        process = start({**environ, **variables}, *options)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "mcp-memory keys create" in log.splitlines()[-1]


async def test_with_a_key_it_listens_everywhere_and_shows_the_key_to_nobody(
    app: App, environ: Environ
) -> None:
    text = await key(app, "alice")
    variables = {"MCP_MEMORY_LOG_LEVEL": "debug"}
    with running({**environ, **variables}, "--host", "0.0.0.0") as server:
        port = httpx2.URL(server.url).port
        local = replace(server, url=f"http://127.0.0.1:{port}")
        async with local.client(text) as client, local.sse(text) as other:
            for each in (client, other):
                assert (await ask(each, "memory_current_database"))["agent"] == "alice"
        async with httpx2.AsyncClient() as http:
            assert (await http.get(f"{local.url}/mcp")).status_code == 401
            wrong = {"Authorization": f"Bearer {text[:-1]}x"}
            assert (await http.get(f"{local.url}/mcp", headers=wrong)).status_code == 401
        assert server.stop() == 0
    log = server.log.text()
    assert "stopping: SIGTERM" in log
    assert text.split("_", 2)[2][:-1] not in log


async def test_a_port_that_is_taken_is_one_line(environ: Environ) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = start(environ, "--port", str(taken.getsockname()[1]))
        _, log = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "http.port" in log.splitlines()[-1]
    assert "Traceback" not in log
