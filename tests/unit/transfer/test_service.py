"""A database that is archived comes back as it was, or not at all."""

import os
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from shlex import quote

import anyio
import anyio.to_thread
import pytest

from mcp_memory.app import App, open_app
from mcp_memory.errors import (
    ArchiveUnusable,
    BackupFailed,
    DatabaseTooNew,
    DocumentNotFound,
    InvalidInput,
    NotEmpty,
    RestoreFailed,
    UnknownDatabase,
)
from mcp_memory.memory.conversations.models import AppendMessages, NewMessage
from mcp_memory.memory.facts.model import NewFact
from mcp_memory.memory.mail.model import MailFilter
from mcp_memory.postgres import migrate, provision, schema
from mcp_memory.postgres.addresses import derive_url
from mcp_memory.postgres.migrate import list_shipped
from mcp_memory.postgres.programs import client_program
from mcp_memory.transfer.archive import Archive
from tests.fixtures.legacy import make_legacy_database
from tests.fixtures.mail import arrive, config_at, contents, send
from tests.fixtures.postgres_servers import BUILDER, GUEST, TcpServer
from tests.fixtures.program import Program
from tests.fixtures.queries import found, until_embedded
from tests.fixtures.schemas import schema_of, without_indexes_of_spaces
from tests.fixtures.tables import NOTICE, SECRET, all_rows_of_every_table

NEWEST = migrate.newest(list_shipped())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a folder" / "memory.dump"


@pytest.fixture
async def full(app: App, file: Path) -> AsyncIterator[App]:
    """An app whose database holds something of every kind."""
    await anyio.Path(file.parent).mkdir()
    await app.documents.write(app.session("alice"), SECRET)
    await app.documents.write(app.session("alice"), NOTICE)
    said = NewMessage("user", "The kittiwake lies at the north pier, \\. said\tthe keeper.\n\\.\n")
    await app.transcripts.append(app.session("alice"), AppendMessages("s", [said]))
    await app.graph.store(app.session("alice"), NewFact("Ada keeps the lighthouse"))
    await arrive(app, "alice", "bob")
    await send(app, "alice", "bob", "the tide turns")
    await until_embedded(app)
    await app.word_counts.finish()
    yield app


async def described(app: App, name: str) -> list[tuple[object, ...]]:
    async with app.databases.direct_connection(name, create=False) as conn:
        await provision.layout_for_migrating(conn, name)
        return await schema_of(conn)


def names_beside(file: Path) -> list[str]:
    return [each.name for each in file.parent.iterdir()]


async def rows(app: App, name: str) -> str:
    """Every row, as one text."""
    database = await app.databases.reading(name, "")
    async with database.maintaining() as conn:
        return await all_rows_of_every_table(conn)


async def test_everything_comes_back_as_it_was(full: App, file: Path) -> None:
    archived = await full.transfer.back_up(full.session("alice"), file)
    restored = await full.transfer.restore(full.session("alice", "copy"), file)

    assert archived.rows == restored.rows
    assert archived.rows["documents"] == 2
    assert archived.migration == restored.migration == NEWEST
    assert await described(full, "copy") == await described(full, "main")
    before, after = await rows(full, "main"), await rows(full, "copy")
    assert sorted(after.splitlines()) == sorted(before.splitlines())


async def test_what_came_back_is_found_by_whom_it_was_for_and_goes_on(
    full: App, file: Path
) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    await full.transfer.restore(full.session("alice", "copy"), file)
    await full.databases.set_default("alice", "copy")
    await full.databases.set_default("bob", "copy")

    assert sorted(await found(full, "alice", "marmalade")) == ["diary.md", "notice.md"]
    assert await found(full, "bob", "marmalade") == ["notice.md"]
    with pytest.raises(DocumentNotFound):
        await full.documents.get(full.session("bob"), "diary.md")
    written = await full.documents.write(
        full.session("alice"), replace(SECRET, content="more", mode="append")
    )
    assert written.version == 2
    page = await full.messages.inbox(full.mail_session("bob", "copy"), MailFilter())
    assert contents(page.rows) == ["the tide turns"]


async def test_nobody_waits_for_an_archive_and_it_is_of_one_moment(full: App, file: Path) -> None:
    """Each message has one delivery: an archive that had one without the other would not."""
    sent, archived = 0, None
    async with anyio.create_task_group() as tasks:

        async def go_on() -> None:
            nonlocal sent
            while True:
                await send(full, "alice", "bob", "another")
                sent += 1

        tasks.start_soon(go_on)
        archived = await full.transfer.back_up(full.session("alice"), file)
        tasks.cancel_scope.cancel()
    assert sent > 0 and archived is not None
    restored = await full.transfer.restore(full.session("alice", "copy"), file)
    assert archived.rows["messages"] == restored.rows["deliveries"]


async def test_a_database_that_holds_anything_is_not_touched(full: App, file: Path) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    before = await rows(full, "main")

    with pytest.raises(NotEmpty) as caught:
        await full.transfer.restore(full.session("alice"), file)

    assert caught.value.rows["documents"] == 2
    assert await rows(full, "main") == before


async def test_a_database_that_was_only_opened_is_as_good_as_none(full: App, file: Path) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    await full.databases.writing("copy", "alice")
    await full.presence.note(full.mail_session("alice", "copy"))
    assert (await full.transfer.restore(full.session("alice", "copy"), file)).rows["documents"] == 2
    await full.databases.set_default("bob", "copy")
    assert await found(full, "bob", "marmalade") == ["notice.md"]


async def test_who_has_it_open_goes_on_when_a_restore_fails(
    full: App, file: Path, database_url: str
) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    await full.databases.writing("copy", "alice")
    await anyio.to_thread.run_sync(_damage, file, "flipped", database_url)
    with pytest.raises((ArchiveUnusable, RestoreFailed)):
        await full.transfer.restore(full.session("alice", "copy"), file)

    written = await full.documents.write(full.session("alice", "copy"), SECRET)
    assert written.version == 1


@pytest.mark.parametrize("damage", ["cut", "flipped", "foreign", "text", "empty"])
async def test_a_file_that_is_no_whole_archive_changes_nothing(
    full: App, file: Path, damage: str, database_url: str
) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    await anyio.to_thread.run_sync(_damage, file, damage, database_url)

    with pytest.raises((ArchiveUnusable, RestoreFailed)):
        await full.transfer.restore(full.session("alice", "copy"), file)

    async with full.databases.direct_connection("copy", create=True) as conn:
        assert await schema.tables(conn) == []


def breaking_off(program: Path) -> Callable[[Archive, Path], None]:
    """An archive's beginning, by which it is read with another program."""
    usual = Archive.__init__

    def begin(self: Archive, file: Path) -> None:
        usual(self, file)
        setattr(self, "_program", str(program))  # noqa: B010 - what is found in the wheel otherwise

    return begin


async def test_an_archive_that_breaks_off_between_two_tables_is_taken_back(
    full: App, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came until then is a script that psql would commit."""
    await full.transfer.back_up(full.session("alice"), file)
    real = quote(client_program("pg_restore", prefers_system=False))
    program = tmp_path / "pg_restore"
    await anyio.Path(program).write_text(
        "#!/bin/sh\n"
        f'{real} "$@" | awk \'{{ print }} /^COPY mcp_memory.documents/ {{ begun = 1 }}'
        ' begun && $0 == "\\\\." { exit 3 }\'\n'
        "[ $? = 3 ] || exit 0\n"
        "echo 'pg_restore: error: it broke off' >&2\n"
        "exit 1\n"
    )
    await anyio.Path(program).chmod(0o755)
    monkeypatch.setattr(Archive, "__init__", breaking_off(program))

    with pytest.raises(ArchiveUnusable) as caught:
        await full.transfer.restore(full.session("alice", "copy"), file)

    assert caught.value.problem == "it broke off"
    async with full.databases.direct_connection("copy", create=True) as conn:
        assert await schema.tables(conn) == []


def _damage(file: Path, damage: str, url: str) -> None:
    whole = file.read_bytes()
    match damage:
        case "cut":
            file.write_bytes(whole[: len(whole) * 9 // 10])
        case "flipped":
            # In the packed rows of a table, which end with a sum over them.
            place = whole.index(b"\x78\x9c", len(whole) // 2) + 8
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        case "foreign":
            program = client_program("pg_dump", prefers_system=False)
            subprocess.run([program, "-Fc", "--schema=public", "-f", file, url], check=True)
        case "text":
            file.write_text("-- a text")
        case _:
            file.write_bytes(b"")


@pytest.mark.slow
async def test_a_restore_that_is_killed_has_changed_nothing(
    full: App, file: Path, tmp_path: Path, database_url: str
) -> None:
    """psql hears the end of what it is told: that must not be taken for the script's own."""
    database = await full.databases.writing(None, "alice")
    async with database.maintaining() as conn:
        await conn.execute(_MUCH)
    await full.transfer.back_up(full.session("alice"), file)
    own = Program({"HOME": str(tmp_path), "MCP_MEMORY_DATABASE_URL": database_url})
    process = own.start("restore", str(file), "--database", "copy")
    async with full.databases.direct_connection("copy", create=True) as conn:
        with anyio.fail_after(60):
            while await (await conn.execute(_COPYING)).fetchone() is None:  # noqa: ASYNC110 - psql decides
                await anyio.sleep(0.001)
        process.kill()
        await anyio.to_thread.run_sync(process.communicate)
        with anyio.fail_after(60):
            while await (await conn.execute(_OTHERS)).fetchone() is not None:  # noqa: ASYNC110 - psql decides
                await anyio.sleep(0.01)
        assert await schema.tables(conn) == []


_MUCH = """
INSERT INTO audit_log (agent_id, action, kind, object_id)
SELECT 'alice', 'write', 'document', repeat('x', 200) || n
FROM generate_series(1, 300000) n
"""
_COPYING = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'psql' AND query LIKE 'COPY%'
"""
_OTHERS = """
SELECT FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'psql'
"""


async def test_an_archive_of_a_newer_version_is_refused(full: App, file: Path) -> None:
    async with full.databases.direct_connection("main", create=False) as conn:
        await conn.execute(
            "INSERT INTO mcp_memory.migrations (number, name, sha256) VALUES (9999, 'later', 'x')"
        )
    await full.transfer.back_up(full.session("alice"), file)
    with pytest.raises(DatabaseTooNew):
        await full.transfer.restore(full.session("alice", "copy"), file)
    assert "copy" not in await full.databases.names()


async def test_an_archive_of_an_older_version_is_migrated(full: App, file: Path) -> None:
    async with full.databases.direct_connection("copy", create=True) as conn:
        layout = await provision.layout_for_migrating(conn, "copy")
        await migrate.migrate(
            conn,
            layout.roles,
            layout.search_path,
            name="copy",
            migrations=list_shipped(),
            target=24,
        )
        await conn.execute("INSERT INTO mcp_memory.agents (agent_id) VALUES ('carol')")
    archived = await full.transfer.back_up(full.session("alice", "copy"), file)
    restored = await full.transfer.restore(full.session("alice", "later"), file)

    assert archived.migration == restored.migration == 24
    await full.databases.writing("fresh", "alice")
    assert await described(full, "later") == await described(full, "fresh")
    known = await full.directory.agents(full.mail_session("carol", "later"))
    assert "carol" in [each.agent for each in known]


async def test_an_archive_of_the_unreleased_build_is_taken_over(
    full: App, file: Path, server_url: str, database_url: str
) -> None:
    await make_legacy_database(derive_url(database_url, "old"), server_url)
    archived = await full.transfer.back_up(full.session("alice", "old"), file)
    restored = await full.transfer.restore(full.session("alice", "later"), file)

    assert archived.migration == restored.migration == 19
    await full.databases.writing("fresh", "alice")
    taken_over = without_indexes_of_spaces(await described(full, "later"))
    assert taken_over == set(await described(full, "fresh"))


async def test_it_comes_back_on_a_server_with_other_roles(
    full: App, file: Path, tcp_server: TcpServer, database_name: str
) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    tcp_server.execute("CREATE EXTENSION IF NOT EXISTS vector", database="template1")
    async with open_app(config_at(tcp_server.url(BUILDER, database_name))) as there:
        restored = await there.transfer.restore(there.session("alice"), file)
        assert restored.rows["documents"] == 2
        assert await found(there, "bob", "marmalade") == ["notice.md"]
        assert sorted(await found(there, "alice", "marmalade")) == ["diary.md", "notice.md"]
        database = await there.databases.reading(None, "bob")
        async with database.reading("bob") as conn:
            assert "secret" not in await all_rows_of_every_table(conn)
        again = await there.transfer.back_up(there.session("alice"), file, replace=True)
    assert again.rows == restored.rows


async def test_a_login_without_roles_is_held_by_what_came_back(
    full: App, file: Path, tcp_server: TcpServer, database_name: str
) -> None:
    await full.transfer.back_up(full.session("alice"), file)
    tcp_server.execute("CREATE DATABASE {} OWNER {}", database_name, GUEST.name)
    tcp_server.execute("CREATE EXTENSION IF NOT EXISTS vector", database=database_name)
    async with open_app(config_at(tcp_server.url(GUEST, database_name))) as there:
        await there.transfer.restore(there.session("alice"), file)
        database = await there.databases.reading(None, "bob")
        async with database.reading("bob") as conn:
            assert "secret" not in await all_rows_of_every_table(conn)
        archived = await there.transfer.back_up(there.session("alice"), file, replace=True)
    assert archived.rows["documents"] == 2


async def test_a_file_that_is_there_is_replaced_only_when_asked(full: App, file: Path) -> None:
    await anyio.Path(file).write_text("precious")
    with pytest.raises(InvalidInput):
        await full.transfer.back_up(full.session("alice"), file)
    assert await anyio.Path(file).read_text() == "precious"

    await full.transfer.back_up(full.session("alice"), file, replace=True)
    assert Archive(file).count_rows()["documents"] == 2
    assert names_beside(file) == [file.name]
    assert (await anyio.Path(file).stat()).st_mode & 0o077 == 0


async def test_only_a_file_is_ever_replaced(full: App, file: Path) -> None:
    pipe, link = file.with_name("pipe"), file.with_name("link")
    await anyio.to_thread.run_sync(os.mkfifo, pipe)
    await anyio.Path(link).symlink_to(file)
    for place in (pipe, file.parent):
        with pytest.raises(InvalidInput):
            await full.transfer.back_up(full.session("alice"), place, replace=True)
    archived = await full.transfer.back_up(full.session("alice"), link)

    assert archived.file == file
    assert await anyio.Path(pipe).is_fifo()
    assert await anyio.Path(link).is_symlink()
    assert await anyio.Path(file).is_file()


async def test_what_cannot_be_archived_leaves_the_file_as_it_was(
    full: App, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the count and the archive, somebody takes a table away."""
    await anyio.Path(file).write_text("precious")

    async def more(conn: object) -> dict[str, int]:
        return {"documents": 3}

    monkeypatch.setattr(schema, "count_rows", more)
    with pytest.raises(BackupFailed) as caught:
        await full.transfer.back_up(full.session("alice"), file, replace=True)
    assert "documents: 2 of 3 rows" in caught.value.problem
    assert await anyio.Path(file).read_text() == "precious"
    assert names_beside(file) == [file.name]


async def test_a_database_that_is_not_there_is_not_made_for_an_archive(
    full: App, file: Path
) -> None:
    with pytest.raises(UnknownDatabase):
        await full.transfer.back_up(full.session("alice", "nowhere"), file)
    with pytest.raises(InvalidInput):
        await full.transfer.back_up(full.session("alice"), file.parent / "gone" / "x.dump")
    assert names_beside(file) == []
