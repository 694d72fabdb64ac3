"""A database whose server, or whose connections, go away in the middle."""

import os
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import psycopg
import pytest

from mcp_memory.config import Config
from mcp_memory.errors import DatabaseBusy, DatabaseUnavailable, OutcomeUnknown
from mcp_memory.postgres import provision
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database
from tests.fixtures.postgres import MakeConfig
from tests.fixtures.postgres_servers import ADMIN, TcpServer, reachable_folder
from tests.fixtures.processes import until_ended

ADD = """
INSERT INTO audit_log (agent_id, action, kind, object_id)
VALUES ('alice', 'write', 'document', '1')
"""


async def backend(conn: Connection) -> int:
    return conn.info.backend_pid


async def add(conn: Connection) -> None:
    await conn.execute(ADD)


async def count(conn: Connection) -> int:
    row = await (await conn.execute("SELECT count(*) FROM audit_log")).fetchone()
    assert row is not None
    return int(row[0])


async def end_other_backends(url: str) -> None:
    """End every connection to this database, and wait until they are gone."""
    async with await provision.connect(url) as conn:
        await conn.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@asynccontextmanager
async def opened(config: Config) -> AsyncGenerator[Database]:
    databases = Databases(config)
    try:
        yield await databases.writing(None, "alice")
    finally:
        await databases.close()


@pytest.fixture
def small(make_config: MakeConfig) -> Config:
    """A pool of one connection, and no patience to wait for it."""
    url = make_config().database.url
    assert url is not None
    return make_config(
        database={"url": url.reveal(), "pool": {"min": 0, "max": 1}},
        limits={"pool_timeout_seconds": 0.2},
    )


async def test_connections_ended_between_calls_are_not_seen_by_the_caller(
    db: Database, database_url: str
) -> None:
    several: list[int] = []

    async def remember_backend() -> None:
        async with db.reading("alice") as conn:
            several.append(await backend(conn))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(remember_backend)
    await end_other_backends(database_url)

    for _ in range(4):
        async with db.writing("alice") as conn:
            assert await backend(conn) not in several


async def test_a_connection_ended_in_the_middle_of_work_is_an_error_of_ours(
    db: Database, database_url: str
) -> None:
    async def lose_connection(conn: Connection) -> None:
        await add(conn)
        await end_other_backends(database_url)
        await add(conn)

    with pytest.raises(DatabaseUnavailable):
        async with db.writing("alice") as conn:
            await lose_connection(conn)

    async with db.maintaining() as conn:
        assert await count(conn) == 0


async def test_a_commit_without_an_answer_is_of_unknown_outcome(
    db: Database, database_url: str
) -> None:
    async def lose_connection(conn: Connection) -> None:
        await add(conn)
        await end_other_backends(database_url)

    with pytest.raises(OutcomeUnknown) as caught:
        async with db.writing("alice") as conn:
            await lose_connection(conn)

    assert caught.value.name == "main"
    assert "idempotency_key" in str(caught.value)


async def test_a_read_without_an_answer_to_its_commit_is_only_unavailable(
    db: Database, database_url: str
) -> None:
    async def lose_connection(_conn: Connection) -> None:
        await end_other_backends(database_url)

    with pytest.raises(DatabaseUnavailable):
        async with db.reading("alice") as conn:
            await lose_connection(conn)


async def test_an_exhausted_pool_says_so(small: Config) -> None:
    async with opened(small) as db:

        async def ask_for_another(_conn: Connection) -> None:
            async with db.reading("bob") as conn:
                await backend(conn)

        with pytest.raises(DatabaseBusy) as caught:
            async with db.reading("alice") as conn:
                await ask_for_another(conn)

        assert "all 1 connections" in caught.value.reason
        async with db.reading("alice") as conn:
            assert await backend(conn)


async def test_a_caller_cancelled_while_it_waits_takes_no_connection_with_it(
    small: Config,
) -> None:
    async with opened(small) as db:
        async with db.reading("alice") as conn:
            before = await backend(conn)

        async def read_as_bob() -> None:
            async with db.reading("bob") as conn:
                await backend(conn)

        async with db.reading("alice"), anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(read_as_bob)
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()

        async with db.reading("alice") as conn:
            assert await backend(conn) == before


async def test_a_search_is_planned_for_its_values_and_a_write_once(db: Database) -> None:
    async def planning(conn: Connection) -> str:
        row = await (await conn.execute("SHOW plan_cache_mode")).fetchone()
        assert row is not None
        return str(row[0])

    async with db.reading("alice") as conn:
        assert await planning(conn) == "force_custom_plan"
    async with db.writing("alice") as conn:
        assert await planning(conn) == "auto"
    async with db.maintaining() as conn:
        assert await planning(conn) == "auto"


async def test_what_fails_in_the_middle_leaves_nothing_and_a_usable_connection(
    db: Database,
) -> None:
    seen: list[int] = []

    async def fail(conn: Connection) -> None:
        seen.append(await backend(conn))
        await add(conn)
        raise LookupError("of the work itself")

    with pytest.raises(LookupError):
        async with db.writing("alice") as conn:
            await fail(conn)

    async with db.maintaining() as conn:
        assert await count(conn) == 0
    async with db.reading("alice") as conn:
        assert await backend(conn) in seen


async def test_constraints_stay_what_postgresql_calls_them(db: Database) -> None:
    async def violate(conn: Connection) -> None:
        await conn.execute("INSERT INTO registered_databases VALUES ('Not A Name', '', '')")

    with pytest.raises(psycopg.IntegrityError):
        async with db.maintaining() as conn:
            await violate(conn)


@pytest.mark.slow
async def test_a_server_that_restarts_is_used_again(own_tcp_server: TcpServer) -> None:
    url = own_tcp_server.url(ADMIN, "memory")
    async with opened(config_on(url)) as db:
        async with db.writing("alice") as conn:
            await add(conn)
        own_tcp_server.stop()

        for _ in range(2):
            with pytest.raises(DatabaseUnavailable) as caught:
                async with db.writing("alice") as conn:
                    await add(conn)
            assert caught.value.reason == "the server refuses connections"

        own_tcp_server.start()
        async with db.writing("alice") as conn:
            await add(conn)
        own_tcp_server.stop()
        own_tcp_server.start()
        async with db.writing("alice") as conn:
            await add(conn)

        async with db.maintaining() as conn:
            assert await count(conn) == 3


@pytest.mark.slow
async def test_many_callers_survive_a_restart_without_a_raw_error(
    own_tcp_server: TcpServer,
) -> None:
    stop, enough = anyio.Event(), anyio.Event()
    async with opened(config_on(own_tcp_server.url(ADMIN, "memory"))) as db:
        known: list[type[Exception]] = []

        async def call_again_and_again() -> None:
            while not stop.is_set():
                try:
                    async with db.writing("alice") as conn:
                        await add(conn)
                except (DatabaseUnavailable, DatabaseBusy, OutcomeUnknown) as exc:
                    known.append(type(exc))
                    enough.set()

        async with anyio.create_task_group() as tasks:
            for _ in range(8):
                tasks.start_soon(call_again_and_again)
            async with db.writing("alice") as conn:
                await add(conn)
            await anyio.to_thread.run_sync(own_tcp_server.stop)
            with anyio.fail_after(30):
                await enough.wait()
            await anyio.to_thread.run_sync(own_tcp_server.start)
            async with db.writing("alice") as conn:
                await add(conn)
            stop.set()

    assert DatabaseUnavailable in known


@pytest.mark.slow
async def test_a_server_that_is_down_at_first_is_used_once_it_is_up(
    own_tcp_server: TcpServer,
) -> None:
    own_tcp_server.stop()
    databases = Databases(config_on(own_tcp_server.url(ADMIN, "memory")))
    with pytest.raises(DatabaseUnavailable):
        await databases.writing(None, "alice")
    own_tcp_server.start()

    db = await databases.writing(None, "alice")
    async with db.writing("alice") as conn:
        await add(conn)
    await databases.close()


def config_on(url: str) -> Config:
    return Config.model_validate({"database": {"url": url, "pool": {"min": 1, "max": 4}}})


@pytest.fixture
def cluster_dir() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder / "cluster"


@pytest.mark.slow
async def test_a_killed_embedded_server_is_started_again_unseen(cluster_dir: Path) -> None:
    config = Config.model_validate({"embedded": {"data_dir": str(cluster_dir)}})
    async with opened(config) as db:
        async with db.writing("alice") as conn:
            await add(conn)
        async with db.reading("alice") as conn:
            pooled = await backend(conn)
        pid = int((cluster_dir / "pgdata" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGKILL)
        # A backend outlives its postmaster a little. One that dies in the middle of the work is
        # told to the caller, who alone knows whether it may be done twice.
        await until_ended(pooled)

        with anyio.fail_after(60):
            async with db.writing("alice") as conn:
                await add(conn)
            async with db.maintaining() as conn:
                assert await count(conn) == 2
