"""A database of the last unreleased build is taken over: every row, or nothing at all."""

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import anyio
import pytest

from mcp_memory.app import open_app
from mcp_memory.config import Config
from mcp_memory.errors import (
    BackupFailed,
    DatabaseInUse,
    DatabaseTooOld,
    MigrationChanged,
    TakeOverNeeded,
)
from mcp_memory.postgres import migrate, provision
from mcp_memory.postgres.addresses import with_database
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.migrate import list_shipped, newest
from mcp_memory.postgres.schema import count_rows
from mcp_memory.postgres.takeover import Dump
from mcp_memory.transfer.archive import Archive
from tests.fixtures.legacy import TABLES, Rows, fill_legacy_database, make_legacy_database, rows_of
from tests.fixtures.postgres_servers import BUILDER, MAKER, Login, TcpServer, reachable_folder
from tests.fixtures.schemas import protection_of, schema_of, without_indexes_of_spaces
from tests.fixtures.transactions import read_as


@pytest.fixture
async def legacy_url(empty_database_url: str, server_url: str) -> str:
    """The URL of a database at migration 19, with awkward rows in every table."""
    await make_legacy_database(empty_database_url, server_url)
    return empty_database_url


@pytest.fixture
async def owner(legacy_url: str) -> AsyncIterator[Connection]:
    async with await provision.connect(legacy_url) as conn:
        yield conn


async def take_over(
    conn: Connection, *, dump: Dump | None = None, patience_seconds: float = 30
) -> None:
    layout = await provision.layout_for_migrating(conn, "main")
    await provision.take_over(conn, layout, "main", dump, patience_seconds=patience_seconds)


async def numbers(conn: Connection) -> list[int]:
    return [step.number for step in await migrate.list_applied(conn)]


async def refuse_to_dump(conn: Connection) -> None:
    raise BackupFailed("main", "the disk is full")


def as_texts(rows: Rows) -> dict[str, list[str]]:
    """Each row as a text, in an order that names of columns do not change."""
    return {
        table: sorted(json.dumps(row, sort_keys=True) for row in found)
        for table, found in rows.items()
    }


async def test_every_row_is_there_afterwards(owner: Connection) -> None:
    before = await rows_of(owner)
    await take_over(owner)
    after = await rows_of(owner)

    assert {table for table, rows in before.items() if not rows} == set()
    assert as_texts(after) == as_texts(before)
    assert await numbers(owner) == [step.number for step in list_shipped()]


async def test_it_is_then_what_a_fresh_database_is(
    owner: Connection, template: str, server_url: str
) -> None:
    await take_over(owner)

    async with await provision.connect(with_database(server_url, template)) as fresh:
        ours = without_indexes_of_spaces(await schema_of(owner))
        assert ours == set(await schema_of(fresh))
        assert await protection_of(owner) == await protection_of(fresh)


async def test_the_index_of_a_space_has_the_name_that_dropping_it_looks_for(
    owner: Connection,
) -> None:
    await take_over(owner)

    index = await owner.execute("SELECT to_regclass('mcp_memory.vectors_space_2') IS NOT NULL")
    assert await index.fetchone() == (True,)


async def test_what_was_written_is_found_and_read(legacy_url: str, owner: Connection) -> None:
    await take_over(owner)
    config = Config.model_validate({"database": {"url": legacy_url}})
    databases = Databases(config)
    database = await databases.reading(None, "bob")

    async def look(conn: Connection) -> list[tuple[object, ...]]:
        found = await conn.execute(
            "SELECT c.path FROM match_lexemes(ARRAY['marmalad'],"
            ' jsonb_populate_record(NULL::search_filter, \'{"sources": ["documents"]}\'), 10) m'
            " JOIN chunks c ON c.id = m.chunk_id ORDER BY c.path"
        )
        return await found.fetchall()

    found = await read_as(database, "bob", look)
    await databases.close()

    assert found == [("shared/alice.md",), ("shared/bob.md",)]


async def test_without_a_word_about_a_dump_it_is_refused(legacy_url: str) -> None:
    databases = Databases(Config.model_validate({"database": {"url": legacy_url}}))

    with pytest.raises(TakeOverNeeded):
        await databases.writing(None, "alice")
    await databases.close()

    async with await provision.connect(legacy_url) as conn:
        assert await numbers(conn) == [*range(1, 20)]


async def test_nothing_is_changed_when_the_dump_fails(owner: Connection) -> None:
    before = await rows_of(owner), await schema_of(owner)

    with pytest.raises(BackupFailed):
        await take_over(owner, dump=refuse_to_dump)

    assert (await rows_of(owner), await schema_of(owner)) == before


async def test_an_older_unreleased_one_is_refused_with_the_way_out(owner: Connection) -> None:
    await owner.execute("DELETE FROM mcp_memory.migrations WHERE number > 12")

    with pytest.raises(DatabaseTooOld) as caught:
        await provision.prepare(owner, "main", dump=refuse_to_dump)

    assert caught.value.found == 12
    assert "747b382" in str(caught.value)


async def test_one_whose_migrations_were_changed_is_refused(owner: Connection) -> None:
    await owner.execute("UPDATE mcp_memory.migrations SET sha256 = 'x' WHERE number = 3")

    with pytest.raises(MigrationChanged):
        await take_over(owner)


async def test_a_session_of_an_old_server_that_writes_is_named(
    legacy_url: str, owner: Connection
) -> None:
    before = await schema_of(owner)
    async with await provision.connect(legacy_url) as old_server, old_server.transaction():
        pid = old_server.info.backend_pid
        await old_server.execute("UPDATE mcp_memory.agents SET last_seen = now()")
        with pytest.raises(DatabaseInUse) as caught:
            await take_over(owner, patience_seconds=0)

    assert [session.split()[1] for session in caught.value.sessions] == [str(pid)]
    assert await schema_of(owner) == before


async def test_it_waits_for_a_session_that_ends(legacy_url: str, owner: Connection) -> None:
    old_server = await provision.connect(legacy_url)
    async with old_server.transaction():
        await old_server.execute("INSERT INTO mcp_memory.agents (agent_id) VALUES ('late')")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(take_over, owner)
        async with await provision.connect(legacy_url) as witness:
            await until_waiting(witness)
        await old_server.close()

    late = await owner.execute("SELECT count(*) FROM mcp_memory.agents WHERE agent_id = 'late'")
    assert await late.fetchone() == (1,)
    assert (await numbers(owner))[-1] == newest(list_shipped())


async def until_waiting(witness: Connection) -> None:
    statement = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1"
    with anyio.fail_after(20):
        while (await (await witness.execute(statement)).fetchone()) == (0,):  # noqa: ASYNC110 - no event
            await anyio.sleep(0.01)


async def test_several_that_come_at_once_dump_and_take_over_once(legacy_url: str) -> None:
    dumps: list[int] = []

    async def dump(conn: Connection) -> None:
        dumps.append(conn.info.backend_pid)

    async def prepare() -> None:
        async with await provision.connect(legacy_url) as conn:
            await provision.prepare(conn, "main", dump=dump)

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(prepare)

    assert len(dumps) == 1
    async with await provision.connect(legacy_url) as conn:
        assert await numbers(conn) == [step.number for step in list_shipped()]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the user of an embedded server can enter, unlike pytest's own."""
    with reachable_folder() as place:
        yield place


# Says when it has begun, and when the dump would be made; then it waits to be killed, or goes on.
_PROCESS = """
import sys
import anyio
from mcp_memory.postgres import provision

async def dump(conn):
    print("dumping", flush=True)
    if sys.argv[2] == "waits":
        await anyio.sleep_forever()

async def main():
    async with await provision.connect(sys.argv[1]) as conn:
        print("begun", flush=True)
        await provision.prepare(conn, "main", dump=dump)

anyio.run(main)
"""


def start(url: str, how: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", _PROCESS, url, how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


@pytest.mark.slow
async def test_a_kill_while_it_dumps_leaves_the_database_as_it_was(legacy_url: str) -> None:
    async with await provision.connect(legacy_url) as conn:
        before = await rows_of(conn), await schema_of(conn)

    process = start(legacy_url, "waits")
    assert process.stdout is not None
    assert [process.stdout.readline() for _ in range(2)] == ["begun\n", "dumping\n"]
    kill(process)

    async with await provision.connect(legacy_url) as conn:
        assert (await rows_of(conn), await schema_of(conn)) == before
        await take_over(conn)
        assert as_texts(await rows_of(conn)) == as_texts(before[0])


@pytest.mark.slow
@pytest.mark.parametrize("milliseconds", [0, 30, 60, 100, 150, 250, 400, 700])
async def test_a_kill_at_any_moment_leaves_one_of_the_two(
    legacy_url: str, milliseconds: int
) -> None:
    """Whichever moment that is on this machine: before, in the middle, or after."""
    async with await provision.connect(legacy_url) as conn:
        rows, schema = await rows_of(conn), await schema_of(conn)

    process = start(legacy_url, "goes on")
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    await anyio.sleep(milliseconds / 1000)
    kill(process)

    async with await provision.connect(legacy_url) as conn:
        is_old = await numbers(conn) == [*range(1, 20)]
        assert is_old or await numbers(conn) == [step.number for step in list_shipped()]
        assert not is_old or await schema_of(conn) == schema
        assert as_texts(await rows_of(conn)) == as_texts(rows)
        await take_over(conn)
        assert (await numbers(conn))[-1] == newest(list_shipped())


@pytest.mark.slow
async def test_an_embedded_one_is_dumped_beside_its_cluster_and_taken_over(folder: Path) -> None:
    config = Config.model_validate({"embedded": {"data_dir": str(folder / "cluster")}})
    with EmbeddedCluster(folder / "cluster") as cluster:
        url = cluster.url("mcp_memory")
        await make_legacy_database(url, cluster.url("postgres"))
        async with await provision.connect(url) as conn:
            counts = {table: len(rows) for table, rows in (await rows_of(conn)).items()}
        async with open_app(config) as app:
            database = await app.databases.writing(None, "alice")
            assert database.layout.migration == newest(list_shipped())
    (file,) = (folder / "cluster").glob("main-migration-19-*.dump")
    dumped = Archive(file).count_rows()
    assert {TABLES.get(t, t): n for t, n in dumped.items() if t != "migrations"} == counts


@pytest.mark.parametrize("login", [BUILDER, MAKER], ids=["with two roles", "with none"])
async def test_a_login_that_is_no_superuser_takes_over(
    login: Login, tcp_server: TcpServer, database_name: str
) -> None:
    """Its schema's policies hold it too, and its dump."""
    tcp_server.execute("CREATE DATABASE {} OWNER {} TEMPLATE template0", database_name, login.name)
    tcp_server.execute("CREATE EXTENSION vector", database=database_name)
    url = tcp_server.url(login, database_name)
    await fill_legacy_database(url)
    counts: list[dict[str, int]] = []

    async def dump(conn: Connection) -> None:
        counts.append(await count_rows(conn))

    async with await provision.connect(url) as conn:
        before = await rows_of(conn)
        await take_over(conn, dump=dump)
        after = await rows_of(conn)

    assert as_texts(after) == as_texts(before)
    assert counts[0]["chunks"] == len(after["chunks"]) > 0
