"""Waiting for mail: leases that run out, waits that are cancelled, connections that stay free."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial

import anyio
import psycopg

from mcp_memory.app import App, open_app
from mcp_memory.memory.mail.wait import MailSignal, Wait, listen, wait_for_mail
from mcp_memory.postgres.session import Database
from tests.fixtures.mail import ALL, acknowledge, arrive, contents, send, take
from tests.fixtures.postgres import MakeConfig

MINUTE = Wait(ALL, 20, 60.0, timedelta(minutes=5))


async def nothing(_waited_seconds: float) -> None:
    return None


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    with anyio.fail_after(20):
        while not await is_so():  # noqa: ASYNC110 - another process decides
            await anyio.sleep(0.01)


async def test_what_is_not_acknowledged_comes_again_when_its_lease_runs_out(
    make_config: MakeConfig,
) -> None:
    async with open_app(make_config(messages={"lease_seconds": 0.2})) as app:
        await arrive(app, "bob")
        await send(app, "alice", "bob", "again")
        first = await take(app, "bob")
        with anyio.fail_after(20):
            second = await take(app, "bob", 60)
        await acknowledge(app, "bob", second)

        assert contents(first) == contents(second) == ["again"]
        assert await take(app, "bob", 0.5) == []


async def test_a_cancelled_wait_loses_nothing_that_comes_after_it(app: App) -> None:
    await arrive(app, "bob")
    waiting = anyio.Event()

    async def idle(_waited_seconds: float) -> None:
        waiting.set()

    async def wait() -> None:
        await app.messages.wait(app.mail_session("bob"), ALL, timeout_seconds=60, idle=idle)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await waiting.wait()
        tasks.cancel_scope.cancel()
    await send(app, "alice", "bob", "later")

    assert contents(await take(app, "bob")) == ["later"]


async def test_a_wait_cancelled_while_it_claims_leaves_nothing_claimed(
    app: App, db: Database, database_url: str
) -> None:
    await arrive(app, "bob")
    await send(app, "alice", "bob", "still there")

    async def is_blocked() -> bool:
        async with await psycopg.AsyncConnection.connect(database_url) as conn:
            found = await conn.execute(
                "SELECT FROM pg_locks WHERE NOT granted AND database ="
                " (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
            return await found.fetchone() is not None

    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        await conn.execute("LOCK TABLE mcp_memory.deliveries IN SHARE MODE")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(take, app, "bob")
            await until(is_blocked)
            await conn.rollback()
            tasks.cancel_scope.cancel()

    assert contents(await take(app, "bob")) == ["still there"]


async def test_a_wait_cancelled_after_its_claim_gives_it_back(app: App) -> None:
    await arrive(app, "alice", "bob")
    waiting, leaving = anyio.Event(), anyio.Event()

    async def idle(_waited_seconds: float) -> None:
        waiting.set()

    @asynccontextmanager
    async def leave_slowly(database: Database, agent: str) -> AsyncGenerator[MailSignal]:
        """Who is cancelled while leaving has claimed already."""
        async with listen(database, agent) as signal:
            yield signal
        leaving.set()
        await anyio.sleep_forever()

    wait = partial(wait_for_mail, app.mail_session("bob"), MINUTE, idle, listen=leave_slowly)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await waiting.wait()
        await send(app, "alice", "bob", "not lost")
        with anyio.fail_after(20):
            await leaving.wait()
        tasks.cancel_scope.cancel()

    assert contents(await take(app, "bob")) == ["not lost"]


async def test_more_wait_than_there_are_connections_in_the_pool(make_config: MakeConfig) -> None:
    async with open_app(make_config(limits={"pool_timeout_seconds": 5})) as app:
        agents = [f"agent-{number}" for number in range(12)]
        await arrive(app, "alice", *agents)
        heard: list[str] = []
        waiting = 0
        all_wait = anyio.Event()

        async def idle(waited_seconds: float) -> None:
            nonlocal waiting
            waiting += 1
            if waiting == len(agents):
                all_wait.set()

        async def wait(agent: str) -> None:
            mails = await app.messages.wait(
                app.mail_session(agent), ALL, timeout_seconds=60, idle=idle
            )
            heard.extend(f"{agent}: {mail.content}" for mail in mails)

        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                for agent in agents:
                    tasks.start_soon(wait, agent)
                await all_wait.wait()
                await send(app, "alice", "*", "everybody")

        assert sorted(heard) == sorted(f"{agent}: everybody" for agent in agents)
