"""Mail while processes, connections and servers die."""

import signal
from collections.abc import Sequence

import anyio
import psycopg
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.memory.mail.model import Mail, SendMessage
from tests.fixtures import mail_drainer
from tests.fixtures.forks import module_command
from tests.fixtures.mail import ALL, acknowledge, arrive, config_at, contents, send, take
from tests.fixtures.postgres_servers import ADMIN, TcpServer

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SENDS, KILLS = 1000, 10

# Who listens has said so last, or asked whether the line still stands.
TERMINATE_LISTENERS = """
SELECT pg_terminate_backend(pid)
FROM pg_stat_activity
WHERE datname = current_database() AND state = 'idle'
  AND query ~* '^\\s*(LISTEN|UNLISTEN|SELECT 1\\M|SELECT pg_advisory_lock)'
"""


def command(url: str, what: str) -> list[str]:
    return module_command(mail_drainer.__name__, url, what)


async def test_two_processes_that_drain_one_inbox_share_it_out(app: App, database_url: str) -> None:
    await arrive(app, "bob")
    sent = [await send(app, "alice", "bob", str(n), priority=n % 3) for n in range(90)]
    told: list[list[tuple[int, int]]] = []

    async def drain() -> None:
        done = await anyio.run_process(command(database_url, "drain"))
        lines = [line.split() for line in done.stdout.decode().splitlines()]
        told.append([(int(priority), int(number)) for priority, number in lines])

    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(drain)

    assert sorted(number for each in told for _, number in each) == sorted(sent)
    assert [each for each in told if each != in_order(each)] == []
    assert await app.messages.unread(app.mail_session("bob")) == 0


def in_order(taken: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Highest priority first, oldest first within one."""
    return sorted(taken, key=lambda each: (-each[0], each[1]))


async def test_a_sender_killed_right_after_the_commit_has_sent(app: App, database_url: str) -> None:
    await arrive(app, "bob")
    waiting = anyio.Event()
    found: list[Mail] = []
    ends: list[int] = []

    async def idle(_waited_seconds: float) -> None:
        waiting.set()

    async def wait() -> None:
        found.extend(
            await app.messages.wait(app.mail_session("bob"), ALL, timeout_seconds=120, idle=idle)
        )

    with anyio.fail_after(100):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await waiting.wait()
            done = await anyio.run_process(command(database_url, "die"), check=False)
            ends.append(done.returncode)

    assert ends == [-signal.SIGKILL]
    assert contents(found) == ["last words"]


async def test_nothing_is_lost_or_doubled_while_the_listener_is_killed(
    app: App, database_url: str
) -> None:
    await arrive(app, "bob")
    taken: list[Mail] = []

    async def receive() -> None:
        while len(taken) < SENDS:
            mails = await take(app, "bob", timeout_seconds=60, limit=100)
            await acknowledge(app, "bob", mails)
            taken.extend(mails)

    with anyio.fail_after(240):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            for number in range(SENDS):
                if number % (SENDS // KILLS) == 0:
                    await kill_listener(database_url)
                await send(app, "alice", "bob", str(number))

    assert contents(taken) == [str(number) for number in range(SENDS)]


async def kill_listener(url: str) -> None:
    """End the connection that waits for news, once there is one."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as conn:
        ended: list[tuple[object, ...]] = []
        while not ended:
            ended = await (await conn.execute(TERMINATE_LISTENERS)).fetchall()
            await anyio.sleep(0.02)


async def test_a_wait_outlives_a_restart_of_the_server(own_tcp_server: TcpServer) -> None:
    config = config_at(own_tcp_server.url(ADMIN, "memory"))
    async with open_app(config) as app, open_app(config) as other:
        await arrive(app, "bob")
        waiting = anyio.Event()
        found: list[Mail] = []

        async def idle(_waited_seconds: float) -> None:
            waiting.set()

        async def wait() -> None:
            found.extend(
                await app.messages.wait(
                    app.mail_session("bob"), ALL, timeout_seconds=120, idle=idle
                )
            )

        with anyio.fail_after(100):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                await waiting.wait()
                await anyio.to_thread.run_sync(own_tcp_server.stop)
                waiting = anyio.Event()
                await waiting.wait()  # it has found nobody there, and goes on
                await anyio.to_thread.run_sync(own_tcp_server.start)
                await other.messages.send(
                    other.mail_session("alice"), SendMessage("we are back", ["bob"])
                )

        assert contents(found) == ["we are back"]
