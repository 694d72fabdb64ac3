"""Named databases: created on demand, derived, never mistaken for one another."""

from contextlib import suppress
from functools import partial

import anyio
import anyio.abc
import psycopg
import pytest

from mcp_memory.config import Config
from mcp_memory.errors import Conflict, DatabaseUnavailable, InvalidDatabaseName, UnknownDatabase
from mcp_memory.postgres.addresses import with_database
from mcp_memory.postgres.catalog import DatabaseEntry
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database
from tests.fixtures.postgres import MakeConfig


def databases_on(server_url: str, base_url: str) -> set[str]:
    """The databases that begin like the base: other tests may use the same server."""
    with psycopg.connect(server_url) as conn:
        rows = conn.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [name_in(base_url)]
        ).fetchall()
    return {str(row[0]) for row in rows}


def name_in(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


async def current_database(conn: Connection) -> str:
    row = await (await conn.execute("SELECT current_database()")).fetchone()
    assert row is not None
    return str(row[0])


async def test_a_write_creates_the_derived_database(
    databases: Databases, database_url: str
) -> None:
    life = await databases.writing("life", "alice")

    async with life.reading("alice") as conn:
        assert await current_database(conn) == f"{name_in(database_url)}_life"


async def test_a_misspelt_read_creates_nothing_and_names_the_near_ones(
    databases: Databases, server_url: str, database_url: str
) -> None:
    await databases.writing("life", "alice")
    before = databases_on(server_url, database_url)

    with pytest.raises(UnknownDatabase) as caught:
        await databases.reading("lief", "alice")

    assert caught.value.known == ["main", "life"]
    assert "'life'" in str(caught.value)
    assert databases_on(server_url, database_url) == before


@pytest.mark.parametrize("name", ['a"; drop', "a/b?x=1", "x" * 80, "🐘", "", "Life", "1st"])
async def test_hostile_names_are_refused_before_any_server_hears_them(
    databases: Databases, name: str
) -> None:
    with pytest.raises(InvalidDatabaseName):
        await databases.register(name, "alice")


async def test_one_base_never_opens_a_database_of_another(
    database_url: str, databases: Databases
) -> None:
    await databases.writing("life_x", "alice")
    other_base = with_database(database_url, f"{name_in(database_url)}_life")
    other = Databases(Config.model_validate({"database": {"url": other_base}}))
    try:
        with pytest.raises(Conflict):
            await other.writing("x", "alice")
    finally:
        await other.close()


async def test_derived_databases_are_listed_without_being_registered(
    databases: Databases, config: Config
) -> None:
    await databases.writing("work", "alice")
    another_process = Databases(config)
    try:
        listed = await another_process.list()
    finally:
        await another_process.close()

    assert [(each.name, each.status) for each in listed] == [("main", "ready"), ("work", "ready")]


async def test_auto_create_off_creates_nothing(
    make_config: MakeConfig, server_url: str, database_url: str
) -> None:
    databases = Databases(make_config(auto_create=False))
    before = databases_on(server_url, database_url)
    try:
        with pytest.raises(UnknownDatabase):
            await databases.writing("life", "alice")
    finally:
        await databases.close()
    assert databases_on(server_url, database_url) == before


async def test_auto_create_off_does_not_make_the_default_either(
    server_url: str, empty_database_url: str
) -> None:
    document = {"database": {"url": empty_database_url}, "auto_create": False}
    databases = Databases(Config.model_validate(document))
    before = databases_on(server_url, empty_database_url)
    try:
        for call in (databases.reading, databases.writing):
            with anyio.fail_after(20), pytest.raises(UnknownDatabase):
                await call(None, "alice")
        with anyio.fail_after(20), pytest.raises(UnknownDatabase):
            await databases.drop("main")
    finally:
        await databases.close()
    assert databases_on(server_url, empty_database_url) == before


async def test_the_default_moves_for_one_agent_only(databases: Databases) -> None:
    await databases.register("life", "alice")

    assert await databases.set_default("alice", "life") == "main"

    assert databases.default_of("alice") == "life"
    assert databases.default_of("bob") == "main"


async def test_the_default_cannot_be_a_database_that_does_not_exist(databases: Databases) -> None:
    with pytest.raises(UnknownDatabase):
        await databases.set_default("alice", "nowhere")

    assert databases.default_of("alice") == "main"


async def test_eight_at_once_create_and_migrate_once(empty_database_url: str) -> None:
    config = Config.model_validate({"database": {"url": empty_database_url}})
    several = [Databases(config) for _ in range(8)]
    async with anyio.create_task_group() as tasks:
        for databases in several:
            tasks.start_soon(databases.writing, "life", "alice")
    life = await several[0].reading("life", "alice")
    async with life.maintaining() as conn:
        applied = await count_migrations(conn)
    for databases in several:
        await databases.close()

    assert applied == life.layout.migration


async def count_migrations(conn: Connection) -> int:
    row = await (await conn.execute("SELECT count(*) FROM chunks")).fetchone()
    assert row == (0,)
    async with await psycopg.AsyncConnection.connect(conn.info.dsn, autocommit=True) as owner:
        found = await owner.execute("SELECT max(number) FROM mcp_memory.migrations")
        counted = await found.fetchone()
    assert counted is not None
    return int(counted[0])


async def test_a_registered_database_has_the_url_it_was_given(
    databases: Databases, database_url: str, config: Config
) -> None:
    elsewhere = with_database(database_url, f"{name_in(database_url)}elsewhere")
    await databases.register("archive", "alice", url=elsewhere, persist=True)
    another_process = Databases(config)
    try:
        archive = await another_process.reading("archive", "bob")
        async with archive.reading("bob") as conn:
            assert await current_database(conn) == name_in(elsewhere)
    finally:
        await another_process.close()


async def test_a_name_keeps_the_address_it_has(databases: Databases, database_url: str) -> None:
    with pytest.raises(Conflict):
        await databases.register("main", "alice", url=with_database(database_url, "elsewhere"))


async def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    url = "postgresql://alice:hunter2@127.0.0.1:9/memory"
    databases = Databases(Config.model_validate({"database": {"url": url}}))
    with pytest.raises(DatabaseUnavailable) as caught:
        await databases.writing(None, "alice")
    await databases.close()

    assert "hunter2" not in str(caught.value)
    assert caught.value.reason == "the server refuses connections"


async def test_a_dropped_database_is_gone(
    databases: Databases, server_url: str, database_url: str
) -> None:
    life = await databases.register("life", "alice")
    gone = name_in(life.address.url)

    await databases.drop("life")

    assert gone not in databases_on(server_url, database_url)
    with pytest.raises(UnknownDatabase):
        await databases.reading("life", "alice")


async def test_a_name_opened_and_registered_at_once_leads_to_one_place(
    databases: Databases, database_url: str
) -> None:
    elsewhere = with_database(database_url, f"{name_in(database_url)}elsewhere")
    registered: list[Database] = []

    async def register() -> None:
        with suppress(Conflict):
            registered.append(await databases.register("life", "alice", url=elsewhere))

    await databases.writing(None, "alice")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(databases.writing, "life", "alice")
        tasks.start_soon(register)

    # Whoever came first decides, for both.
    expected = name_in(elsewhere) if registered else f"{name_in(database_url)}_life"
    life = await databases.reading("life", "alice")
    async with life.reading("alice") as conn:
        assert await current_database(conn) == expected


async def test_a_derived_database_is_not_hidden_behind_a_registration(
    databases: Databases, database_url: str, config: Config
) -> None:
    await databases.writing("life", "alice")
    elsewhere = with_database(database_url, f"{name_in(database_url)}elsewhere")
    another_process = Databases(config)
    try:
        with pytest.raises(Conflict):
            await another_process.register("life", "alice", url=elsewhere)
    finally:
        await another_process.close()


async def test_a_registration_that_fails_leaves_the_name_as_it_was(databases: Databases) -> None:
    with pytest.raises(DatabaseUnavailable):
        await databases.register("life", "alice", url="postgresql://127.0.0.1:9/elsewhere")

    assert "life" not in await databases.names()
    await databases.register("life", "alice")


async def test_one_of_two_processes_that_register_a_name_at_once_is_told(
    databases: Databases, database_url: str, config: Config
) -> None:
    base = name_in(database_url)
    another_process = Databases(config)
    told: list[Conflict] = []

    async def register(process: Databases, place: str) -> None:
        url = with_database(database_url, f"{base}{place}")
        try:
            await process.register("archive", "alice", url=url, persist=True)
        except Conflict as exc:
            told.append(exc)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(register, databases, "one")
        tasks.start_soon(register, another_process, "two")

    one = await databases.reading("archive", "alice")
    two = await another_process.reading("archive", "alice")
    assert len(told) == 1
    assert one.address.url == two.address.url
    await another_process.close()


class SilentServer:
    """Says nothing until `callers` are connected at once; from then on it hangs up on everybody."""

    def __init__(self, callers: int) -> None:
        self._awaited = callers
        self._complete = anyio.Event()

    async def answer(self, stream: anyio.abc.SocketStream) -> None:
        self._awaited -= 1
        if self._awaited <= 0:
            self._complete.set()
        await self._complete.wait()
        await stream.aclose()


async def test_silent_servers_are_waited_for_side_by_side(make_config: MakeConfig) -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    url = f"postgresql://127.0.0.1:{port}/elsewhere"
    silent = {name: {"url": url} for name in ("one", "two", "three")}
    databases = Databases(make_config(databases=silent))
    listed: list[DatabaseEntry] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(listener.serve, SilentServer(len(silent)).answer))
        listed += await databases.list()
        tasks.cancel_scope.cancel()
    await databases.close()
    await listener.aclose()

    assert {each.name: each.status for each in listed} == {
        "main": "ready",
        "one": "unavailable",
        "two": "unavailable",
        "three": "unavailable",
    }
    # Looked at one after the other, each would have kept its silence until the timeout.
    assert not any("in time" in each.problem for each in listed)


async def test_what_can_be_listed_is_listed_when_the_default_is_down() -> None:
    config = Config.model_validate(
        {
            "database": {"url": "postgresql://127.0.0.1:9/memory"},
            "databases": {"archive": {"url": "postgresql://127.0.0.1:9/archive"}},
        }
    )
    databases = Databases(config)
    listed = await databases.list()
    await databases.close()

    assert [(each.name, each.status) for each in listed] == [
        ("main", "unavailable"),
        ("archive", "unavailable"),
    ]
