"""Numbered migrations, up and down, each with the SQL functions that its tables are for.

Each is one transaction, under a lock. Numbers begin at 20: 1 to 19 were never released, and a
database at 19 is taken over (`takeover.py`).
"""

import hashlib
import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import pairwise
from pathlib import Path

import anyio
import psycopg
from psycopg import sql
from psycopg.rows import class_row

from mcp_memory.errors import (
    DatabaseBusy,
    DatabaseTooNew,
    DatabaseTooOld,
    InvalidInput,
    MigrationChanged,
    MigrationFailed,
    TakeOverNeeded,
)
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.functions import (
    SqlFunction,
    apply_functions,
    drop_functions,
    find_outdated_functions,
    load_functions,
)
from mcp_memory.postgres.roles import Roles

_FILE = re.compile(r"(\d{4})_([a-z0-9_]+)\.up\.sql")
_NO_TRANSACTION = "-- no-transaction"
_LOCK_KEY = 0x6D637020_6D656D
# Held by whoever waits for the lock, or has it: a session that only waits to migrate uses nothing.
WAITING_KEY = _LOCK_KEY + 1
LAST_UNRELEASED = 19
_LOCK_SECONDS = 120.0
_LOCK_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered step with its way back."""

    number: int
    name: str
    up: str
    down: str
    sha256: str

    @property
    def label(self) -> str:
        """Such as `0002_documents`."""
        return f"{self.number:04}_{self.name}"


@dataclass(frozen=True, slots=True)
class AppliedMigration:
    """A migration that a database has."""

    number: int
    name: str
    sha256: str
    applied_at: datetime


def migrations_dir() -> Path:
    """Beside the package in a wheel, at the top of a checkout otherwise."""
    package = Path(__file__).parents[1]
    packaged = package / "migrations"
    return packaged if packaged.is_dir() else package.parent / "migrations"


@cache
def list_shipped() -> tuple[Migration, ...]:
    """The migrations this version knows."""
    return load(migrations_dir())


@cache
def list_functions() -> tuple[SqlFunction, ...]:
    """The SQL functions this version knows."""
    return load_functions(migrations_dir() / "functions")


def load(folder: Path) -> tuple[Migration, ...]:
    """The migrations of a folder, in order; no number is missing, each has its way back."""
    migrations = [_read(path) for path in sorted(folder.glob("*.up.sql"))]
    for before, migration in pairwise(migrations):
        if migration.number != before.number + 1:
            raise MigrationFailed(
                migration.label, f"number {before.number + 1:04} is missing before it"
            )
    return tuple(migrations)


def newest(migrations: Sequence[Migration]) -> int:
    """The number that a database has with all of these."""
    return migrations[-1].number if migrations else 0


def is_current(have: Sequence[AppliedMigration]) -> bool:
    """Whether a database has exactly the migrations of this version."""
    return [step.number for step in have] == [step.number for step in list_shipped()]


def _read(path: Path) -> Migration:
    match = _FILE.fullmatch(path.name)
    if match is None:
        raise MigrationFailed(path.name, "its name is not NNNN_what.up.sql")
    up = path.read_text("utf-8")
    down = path.with_name(path.name.replace(".up.sql", ".down.sql")).read_text("utf-8")
    digest = hashlib.sha256(f"{up}\0{down}".encode()).hexdigest()
    return Migration(int(match[1]), match[2], up, down, digest)


_APPLIED = """
SELECT number, name, sha256, applied_at
FROM mcp_memory.migrations
ORDER BY number
"""


async def list_applied(conn: Connection) -> list[AppliedMigration]:
    """What the database has, lowest number first; nothing when it was never migrated."""
    row = await (
        await conn.execute("SELECT to_regclass('mcp_memory.migrations') IS NOT NULL")
    ).fetchone()
    if row is None or not row[0]:
        return []
    async with conn.cursor(row_factory=class_row(AppliedMigration)) as cursor:
        return await (await cursor.execute(_APPLIED)).fetchall()


def check(name: str, have: Sequence[AppliedMigration], migrations: Sequence[Migration]) -> None:
    """Refuse a database that is newer or older than what this version knows, or is not ours."""
    if not have:
        return
    if have[-1].number > newest(migrations):
        raise DatabaseTooNew(name, have[-1].number, newest(migrations))
    if have[-1].number == LAST_UNRELEASED:
        raise TakeOverNeeded(name)
    if have[0].number <= LAST_UNRELEASED:
        raise DatabaseTooOld(name, have[-1].number)
    for done, migration in zip(have, migrations, strict=False):
        if done.sha256 != migration.sha256:
            raise MigrationChanged(migration.label)


async def refuse_newer(conn: Connection, name: str) -> None:
    """`DatabaseTooNew` when another process has migrated the database past what we know."""
    with suppress(psycopg.errors.InsufficientPrivilege):
        have = await list_applied(conn)
        if have and have[-1].number > newest(list_shipped()):
            raise DatabaseTooNew(name, have[-1].number, newest(list_shipped()))


async def is_behind(
    conn: Connection, have: Sequence[AppliedMigration], migrations: Sequence[Migration]
) -> bool:
    """Whether a migration is missing there, or a function is another than its file."""
    if not have or have[-1].number < newest(migrations):
        return True
    return bool(await find_outdated_functions(conn, list_functions(), newest(migrations)))


async def migrate(
    conn: Connection,
    roles: Roles,
    search_path: str,
    *,
    name: str,
    migrations: Sequence[Migration],
    target: int | None = None,
) -> int:
    """Bring the database to `target` (default: the newest), up or down; the number it then has.

    `conn` is in autocommit, its login owns the schema. Any number of processes may call at once.
    A new database, which nobody has written in, is secured with its last step, any other with each.
    """
    goal = newest(migrations) if target is None else target
    if goal and goal not in {migration.number for migration in migrations}:
        numbers = f"{migrations[0].number} to {newest(migrations)}"
        raise InvalidInput("migration", f"there are migrations {numbers}, and 0, but no {goal}")
    async with lock(conn, name):
        have = await list_applied(conn)
        check(name, have, migrations)
        await _begin_history(conn)
        number = have[-1].number if have else 0
        for migration in (step for step in migrations if number < step.number <= goal):
            secures = bool(have) or migration.number == goal
            await _step(conn, roles, search_path, migration, up=True, secures=secures)
        for migration in (step for step in reversed(migrations) if goal < step.number <= number):
            await _step(conn, roles, search_path, migration, up=False, secures=True)
        if goal == number:
            await _update_functions(conn, roles, search_path, number)
    return goal


@asynccontextmanager
async def lock(conn: Connection, name: str) -> AsyncGenerator[None]:
    """Keep every other process from migrating the database; `DatabaseBusy` when one goes on at it.

    Polled: waiting inside pg_advisory_lock would deadlock with CREATE INDEX CONCURRENTLY.
    """
    deadline = anyio.current_time() + _LOCK_SECONDS
    await conn.execute("SELECT pg_advisory_lock_shared(%(key)s)", {"key": WAITING_KEY})
    try:
        await _wait_for_lock(conn, name, deadline)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await conn.execute("SELECT pg_advisory_unlock(%(key)s)", {"key": _LOCK_KEY})
    finally:
        with anyio.CancelScope(shield=True):
            await conn.execute("SELECT pg_advisory_unlock_shared(%(key)s)", {"key": WAITING_KEY})


async def _wait_for_lock(conn: Connection, name: str, deadline: float) -> None:
    while not await _try_lock(conn):
        if anyio.current_time() > deadline:
            raise DatabaseBusy(name, "another process is migrating it")
        await anyio.sleep(_LOCK_POLL_SECONDS)


async def _try_lock(conn: Connection) -> bool:
    row = await (
        await conn.execute("SELECT pg_try_advisory_lock(%(key)s)", {"key": _LOCK_KEY})
    ).fetchone()
    return row is not None and bool(row[0])


_HISTORY = """
CREATE SCHEMA IF NOT EXISTS mcp_memory;
CREATE TABLE IF NOT EXISTS mcp_memory.migrations (
    number     integer PRIMARY KEY,
    name       text NOT NULL,
    sha256     text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS mcp_memory.functions (
    name       text PRIMARY KEY,
    sha256     text NOT NULL,
    after      integer NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


async def _begin_history(conn: Connection) -> None:
    async with conn.transaction():
        await conn.execute(_HISTORY)


async def _step(
    conn: Connection,
    roles: Roles,
    search_path: str,
    migration: Migration,
    *,
    up: bool,
    secures: bool,
) -> None:
    """Apply or take back one migration, together with its record."""
    text = migration.up if up else migration.down
    try:
        if text.startswith(_NO_TRANSACTION):
            await _run_outside_transaction(conn, search_path, text)
            text = ""
        async with conn.transaction():
            await enter_as_owner(conn, roles, search_path)
            if not up:
                await drop_functions(conn, migration.number)
            await conn.execute(text.encode() or b"SELECT")
            await _record(conn, migration, up=up)
            if up:
                await apply_functions(conn, list_functions(), migration.number)
            if secures:
                await _secure(conn)
    except psycopg.Error as exc:
        raise MigrationFailed(migration.label, str(exc).splitlines()[0]) from exc


async def _update_functions(conn: Connection, roles: Roles, search_path: str, number: int) -> None:
    """Bring the functions of a database that has its migrations in line with their files."""
    if not await find_outdated_functions(conn, list_functions(), number):
        return
    try:
        async with conn.transaction():
            await enter_as_owner(conn, roles, search_path)
            await apply_functions(conn, list_functions(), number)
            await _secure(conn)
    except psycopg.Error as exc:
        raise MigrationFailed("functions", str(exc).splitlines()[0]) from exc


async def record_all(conn: Connection, migrations: Sequence[Migration]) -> None:
    """Let the open transaction's database have exactly these migrations, and their functions."""
    await conn.execute(_HISTORY)
    await conn.execute("DELETE FROM mcp_memory.migrations")
    for migration in migrations:
        await _record(conn, migration, up=True)
    await apply_functions(conn, list_functions(), newest(migrations))
    await _secure(conn)


async def _run_outside_transaction(conn: Connection, search_path: str, text: str) -> None:
    """One statement at a time: a text of several would be a transaction again."""
    await conn.execute("SELECT set_config('search_path', %(path)s, false)", {"path": search_path})
    for statement in filter(str.strip, re.split(r";\s*\n", text)):
        await conn.execute(statement.encode())


_ENTER = """
SELECT set_config('search_path', %(search_path)s, true),
       set_config('mcp_memory.app_role', %(app)s, true),
       set_config('mcp_memory.worker_role', %(worker)s, true),
       set_config('mcp_memory.maintenance', 'on', true)
"""


async def enter_as_owner(conn: Connection, roles: Roles, search_path: str) -> None:
    """Make the open transaction one of maintenance: it sees every row and knows the roles."""
    await conn.execute(
        _ENTER, {"search_path": search_path, "app": roles.app, "worker": roles.worker}
    )


async def _secure(conn: Connection) -> None:
    row = await (
        await conn.execute("SELECT to_regproc('mcp_memory.secure') IS NOT NULL")
    ).fetchone()
    if row is not None and row[0]:
        await conn.execute("SELECT mcp_memory.secure()")


async def secure(conn: Connection, roles: Roles, search_path: str) -> None:
    """Say every table's policies and grants again, for the roles there are now."""
    async with conn.transaction():
        await enter_as_owner(conn, roles, search_path)
        await _secure(conn)


_RECORD = """
INSERT INTO mcp_memory.migrations (number, name, sha256)
VALUES (%(number)s, %(name)s, %(sha256)s)
"""


async def _record(conn: Connection, migration: Migration, *, up: bool) -> None:
    if not up:
        await conn.execute(
            "DELETE FROM mcp_memory.migrations WHERE number = %(number)s",
            {"number": migration.number},
        )
        return
    await conn.execute(
        _RECORD,
        {"number": migration.number, "name": migration.name, "sha256": migration.sha256},
    )


def as_identifier_list(schemas: Sequence[str]) -> str:
    """A search_path of these schemas, quoted, with pg_temp last so that nothing shadows them."""
    quoted = [sql.Identifier(schema).as_string() for schema in (*schemas, "pg_temp")]
    return ", ".join(quoted)
