"""Running an archive's script in an empty database, in one transaction with its checks."""

import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO

from psycopg import sql

from mcp_memory.errors import RestoreFailed
from mcp_memory.postgres.programs import client_address, client_program
from mcp_memory.postgres.roles import Roles
from mcp_memory.transfer.archive import (
    Archive,
    CountedScript,
    error_line_in,
    grants,
    revocations,
    without_roles,
)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an archive goes, and whom it shall belong to.

    `clearing` is what makes room for it: the database may have our schema, with nothing in it.
    """

    name: str
    url: str
    role: str
    roles: Roles
    search_path: str
    needs_tls: bool
    clearing: bytes


def run_archive(archive: Archive, contents: Sequence[str], target: Target) -> dict[str, int]:
    """Restore all of it or nothing; how many rows of each table there are now.

    It ends with the same counts as the archive, nobody's right to what everybody lost, and the
    policies of this server's roles. `RestoreFailed` when one of these could not be.
    """
    with archive.script(grants(contents)) as grant_script:
        revoked = revocations(grant_script)
    with archive.script(without_roles(contents)) as script:
        _run(_whole(script, revoked, target), target)
        return script.rows


def _whole(script: CountedScript, revoked: Sequence[str], target: Target) -> Iterator[bytes]:
    """Everything that psql is told, in order.

    It commits by the last word alone: where the words end before it, nothing has happened.
    """
    yield b"BEGIN;\n"
    yield _SET_ROLE.format(sql.Identifier(target.role)).as_bytes()
    yield _MAINTAIN
    yield target.clearing
    yield from script
    yield "\n".join(revoked).encode()
    for table, count in script.rows.items():
        yield _check(table, count)
    yield _secure(target)
    yield b"COMMIT;\n"


_SET_ROLE = sql.SQL("SET ROLE {};\n")
_MAINTAIN = b"SELECT set_config('mcp_memory.maintenance', 'on', true);\n"

# Before the policies stand: they would hide rows from whoever is not above them.
_CHECK = sql.SQL("""
DO $check$
BEGIN
    IF (SELECT count(*) FROM {}) <> {} THEN
        RAISE EXCEPTION 'the table % has other rows than the archive', {};
    END IF;
END
$check$;
""")


def _check(table: str, count: int) -> bytes:
    name = sql.Identifier("mcp_memory", table)
    return _CHECK.format(name, sql.Literal(count), sql.Literal(table)).as_bytes()


_SECURE = sql.SQL("""
SELECT set_config('search_path', {}, true),
       set_config('mcp_memory.app_role', {}, true),
       set_config('mcp_memory.worker_role', {}, true),
       set_config('mcp_memory.maintenance', 'on', true);
SELECT mcp_memory.secure();
""")


def _secure(target: Target) -> bytes:
    words = (target.search_path, target.roles.app, target.roles.worker)
    return _SECURE.format(*map(sql.Literal, words)).as_bytes()


def _run(script: Iterator[bytes], target: Target) -> None:
    conninfo, environment = client_address(target.url, [])
    command = [
        client_program("psql", prefers_system=target.needs_tls),
        *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--no-password"),
        *("--file=-", f"--dbname={conninfo}"),
    ]
    with tempfile.TemporaryFile() as stderr:
        if not _feed(command, environment, script, stderr):
            stderr.seek(0)
            raise RestoreFailed(target.name, error_line_in(stderr.read()))


def _feed(
    command: Sequence[str],
    environment: Mapping[str, str],
    script: Iterator[bytes],
    stderr: IO[bytes],
) -> bool:
    """Whether the program was told the whole script, and ended well.

    When the script breaks off, the program is killed: its end must not look like the script's.
    """
    process = subprocess.Popen(
        command,
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
    )
    assert process.stdin is not None
    is_complete = False
    try:
        # A pipe that breaks: the program has failed, and says why on stderr.
        with suppress(BrokenPipeError):
            for line in script:
                process.stdin.write(line)
            process.stdin.flush()
            is_complete = True
    except BaseException:
        process.kill()
        raise
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        code = process.wait()
    return is_complete and code == 0
