"""Backing up named databases, and bringing them back."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio.to_thread

from mcp_memory.errors import InvalidInput, NotEmpty
from mcp_memory.postgres import migrate, provision, schema, takeover
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Session
from mcp_memory.transfer.archive import Archive
from mcp_memory.transfer.backup import BackupReport, RestoreReport, Source, write_archive
from mcp_memory.transfer.restore import Target, run_archive


class Transfer:
    """Whole databases into files and out of them; for a person at the command line."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def back_up(self, session: Session, file: Path, *, replace: bool = False) -> BackupReport:
        """Archive the database as it is at one moment; nobody who works in it has to wait.

        The file is there only once every row of that moment was read from it again. `BackupFailed`
        when that could not be; `InvalidInput` for a file that is there already, unless it is to
        be replaced, or that cannot be made.
        """
        file = await anyio.to_thread.run_sync(_check_destination, file, replace)
        name = session.database
        async with self._databases.direct_connection(name, create=False) as conn:
            layout = await provision.layout_for_migrating(conn, name)
            async with conn.transaction():
                await schema.see_one_moment(conn)
                await migrate.enter_as_owner(conn, layout.roles, layout.search_path)
                source = await _source(conn, name, self._databases.address_of(name).direct_url)
                write = partial(write_archive, source, file, replace=replace)
                size = await anyio.to_thread.run_sync(write)
        return BackupReport(name, file, size, layout.migration, source.rows)

    async def take_over(self, session: Session, *, file: Path | None) -> None:
        """Bring a database of the last unreleased build to the newest migration.

        It is dumped into `file` before, unless that is None. To any other database nothing happens.
        """
        name = session.database
        async with self._databases.direct_connection(name, create=False) as conn:
            layout = await provision.layout_for_migrating(conn, name)
            dump = None
            if file is not None:
                file = await anyio.to_thread.run_sync(_check_destination, file, False)
                dump = self._databases.dump_into(name, file)
            await provision.take_over(conn, layout, name, dump)

    async def restore(self, session: Session, file: Path) -> RestoreReport:
        """Bring an archive back into a database that holds nothing, and to the newest migration.

        It is made if it does not exist. `ArchiveUnusable`, `DatabaseTooNew` or `MigrationChanged`
        for an archive that cannot be used here, `NotEmpty` for a database that holds anything,
        `RestoreFailed` when it went wrong: then the database is as it was. Who uses it meanwhile
        waits.
        """
        name = session.database
        archive = await anyio.to_thread.run_sync(Archive, file)
        contents = await anyio.to_thread.run_sync(archive.contents)
        migrations = await anyio.to_thread.run_sync(archive.migrations, contents)
        if not takeover.is_takeable(migrations):
            migrate.check(str(file), migrations, migrate.list_shipped())
        rows = await self._run(archive, contents, name)
        if takeover.is_takeable(migrations):
            # The archive is its dump.
            await self.take_over(session, file=None)
        await session.open(create=True)
        await self._analyze(name)
        return RestoreReport(name, file, migrations[-1].number, rows)

    async def _run(self, archive: Archive, contents: Sequence[str], name: str) -> Mapping[str, int]:
        async with self._databases.direct_connection(name, create=True) as conn:
            layout = await provision.layout_for_migrating(conn, name)
            async with migrate.lock(conn, name):
                clearing = await _check_empty(conn, name, layout)
                target = await self._target(name, conn, layout, clearing)
                return await anyio.to_thread.run_sync(
                    partial(run_archive, archive, contents, target)
                )

    async def _target(
        self, name: str, conn: Connection, layout: provision.Layout, clearing: bytes
    ) -> Target:
        return Target(
            name=name,
            url=self._databases.address_of(name).direct_url,
            role=await schema.session_role(conn),
            roles=layout.roles,
            search_path=layout.search_path,
            needs_tls=conn.pgconn.ssl_in_use,
            clearing=clearing,
        )

    async def _analyze(self, name: str) -> None:
        """Give the planner what autovacuum would after a while."""
        async with self._databases.direct_connection(name, create=False) as conn:
            await provision.layout_for_migrating(conn, name)
            await schema.analyze(conn)


async def archive_within(conn: Connection, *, name: str, url: str, file: Path) -> None:
    """Archive the database as the open transaction of maintenance sees it, in a new file."""
    source = await _source(conn, name, url)
    await anyio.to_thread.run_sync(partial(write_archive, source, file, replace=False))


async def _source(conn: Connection, name: str, url: str) -> Source:
    return Source(
        name=name,
        url=url,
        role=await schema.session_role(conn),
        moment=await schema.export_moment(conn),
        needs_tls=conn.pgconn.ssl_in_use,
        rows=await schema.count_rows(conn),
    )


def _check_destination(file: Path, replace: bool) -> Path:
    """Where the archive goes: what a link leads to, and never over a device."""
    try:
        path = file.resolve()
        is_there, is_file = path.exists(), path.is_file()
    except OSError as exc:
        raise InvalidInput("file", f"{file}: {exc.strerror}") from exc
    if is_there and not is_file:
        raise InvalidInput("file", f"{file} is no file")
    if is_there and not replace:
        raise InvalidInput("file", f"{file} is there already")
    if not path.parent.is_dir():
        raise InvalidInput("file", f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise InvalidInput("file", f"the folder {path.parent} cannot be written to")
    return path


async def _check_empty(conn: Connection, name: str, layout: provision.Layout) -> bytes:
    """The statements that clear it; `NotEmpty` for a database that holds anything."""
    async with conn.transaction():
        await migrate.enter_as_owner(conn, layout.roles, layout.search_path)
        counts = await schema.count_rows(conn)
        with_content = set(counts) - await schema.bookkeeping(conn)
    content = {table: count for table, count in counts.items() if count and table in with_content}
    if content:
        raise NotEmpty(name, content)
    return schema.clearing_script(list(counts), with_content)
