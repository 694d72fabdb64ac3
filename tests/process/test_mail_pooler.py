"""Mail behind PgBouncer in transaction mode: what listens goes past it (`listen_url`)."""

from collections.abc import AsyncIterator
from typing import cast

import anyio
import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.mail.model import Mail
from tests.fixtures.bridge import bridge
from tests.fixtures.calls import Facts
from tests.fixtures.listeners import kill_listeners
from tests.fixtures.mail import ALL, acknowledge, arrive, config_at, contents, send, take
from tests.fixtures.pooler import Pooler
from tests.fixtures.postgres_servers import ADMIN, TcpServer
from tests.fixtures.servers import Environ, environ_of

pytestmark = pytest.mark.slow


@pytest.fixture
def direct_url(tcp_server: TcpServer, database_name: str) -> str:
    return tcp_server.url(ADMIN, database_name)


@pytest.fixture
def pooled_url(pooler: Pooler, database_name: str) -> str:
    return pooler.url(ADMIN, database_name)


@pytest.fixture
async def app(pooled_url: str, direct_url: str) -> AsyncIterator[App]:
    async with open_app(
        config_at("", database={"url": pooled_url, "listen_url": direct_url})
    ) as opened:
        await arrive(opened, "alice", "bob")
        yield opened


@pytest.fixture
def environ(pooled_url: str, direct_url: str) -> Environ:
    return environ_of(
        pooled_url,
        MCP_MEMORY__DATABASE__LISTEN_URL=direct_url,
        MCP_MEMORY__EMBEDDINGS__PROVIDER="hashing",
    )


async def test_a_wait_behind_a_pooler_is_woken_and_its_lease_holds(app: App) -> None:
    waiting = anyio.Event()
    found: list[Mail] = []

    async def idle(_waited_seconds: float) -> None:
        waiting.set()

    async def wait() -> None:
        # Whoever hears nothing would look after a quarter of a minute.
        with anyio.fail_after(10):
            found.extend(
                await app.messages.wait(app.mail_session("bob"), ALL, timeout_seconds=60, idle=idle)
            )

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await waiting.wait()
        for number in range(30):
            await send(app, "alice", "bob", str(number))

    rest = await take(app, "bob", limit=100)
    assert contents([*found, *rest]) == [str(number) for number in range(30)]
    await acknowledge(app, "bob", [*found, *rest])
    assert await app.messages.unread(app.mail_session("bob")) == 0


async def test_a_bridge_behind_a_pooler_hears_and_comes_back(
    app: App, environ: Environ, direct_url: str
) -> None:
    async with bridge(environ, "bob") as bob:
        ids = [str(await send(app, "alice", "bob", "hello")) for _ in range(5)]
        assert await bob.mail(5) == ids
        with psycopg.connect(direct_url, autocommit=True) as conn:
            assert kill_listeners(conn) == 1
        await bob.event("reconnected")
        taken = await bob.ask(1, "memory_message", action="wait", limit=5)
        assert [each["id"] for each in cast("list[Facts]", taken["messages"])] == ids
        last = str(await send(app, "alice", "bob", "hello"))
        assert await bob.mail(1) == [last]
        assert bob.announced() == [*ids, last]
