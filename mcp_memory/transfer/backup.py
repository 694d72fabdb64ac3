"""Writing a database into an archive, and reading it again before it counts as written."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mcp_memory.errors import BackupFailed, InvalidInput
from mcp_memory.postgres.embedded.folder import sync_folder
from mcp_memory.postgres.programs import client_address, client_program
from mcp_memory.transfer.archive import Archive, error_line_in

_DRAFT = ".mcp-memory-backup."
# Policies hold the owner too, and let him see every row while he maintains.
_AS_MAINTENANCE = "mcp_memory.maintenance=on"


@dataclass(frozen=True, slots=True)
class Source:
    """What is archived: a database as a role that owns its schema sees it at one moment."""

    name: str
    url: str
    role: str
    moment: str
    needs_tls: bool
    rows: dict[str, int]


def write_archive(source: Source, file: Path, *, replace: bool) -> int:
    """Put a checked archive where the file is to be, whole or not at all; its size in bytes.

    `BackupFailed` when it could not be written, or when not every row that the database had at
    that moment can be read from it.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=_DRAFT)
        os.close(descriptor)
        draft = Path(name)
        try:
            _dump(source, draft)
            if (rows := Archive(draft).count_rows()) != source.rows:
                what = _difference(source.rows, rows)
                raise BackupFailed(source.name, f"the archive lacks {what}")
            _put(draft, file, replace=replace)
        finally:
            draft.unlink(missing_ok=True)
        sync_folder(file.parent)
        return file.stat().st_size
    except OSError as exc:
        raise BackupFailed(source.name, f"{file}: {exc.strerror}") from exc


def _put(draft: Path, file: Path, *, replace: bool) -> None:
    """Give the draft its name; where another process has just made that file, it is kept."""
    if not replace:
        try:
            os.link(draft, file)
        except FileExistsError:
            raise InvalidInput("file", f"{file} is there already") from None
        except OSError as exc:
            if exc.errno not in (errno.EPERM, errno.ENOTSUP):
                raise
        else:
            return
    draft.replace(file)


def _dump(source: Source, file: Path) -> None:
    conninfo, environment = client_address(source.url, [_AS_MAINTENANCE])
    command = [
        client_program("pg_dump", prefers_system=source.needs_tls),
        *("--format=custom", "--schema=mcp_memory", "--enable-row-security", "--no-password"),
        *(f"--snapshot={source.moment}", f"--role={source.role}", f"--file={file}"),
        f"--dbname={conninfo}",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    if done.returncode:
        raise BackupFailed(source.name, error_line_in(done.stderr))


def _difference(expected: dict[str, int], actual: dict[str, int]) -> str:
    """The tables that differ, with both counts."""
    names = sorted(expected.keys() | actual.keys())
    differing = [name for name in names if expected.get(name, 0) != actual.get(name, 0)]
    parts = [f"{name}: {actual.get(name, 0)} of {expected.get(name, 0)} rows" for name in differing]
    return ", ".join(parts) or "a table"


@dataclass(frozen=True, slots=True)
class BackupReport:
    """An archive that was written and read again; `rows` counts those of each table in it."""

    database: str
    file: Path
    size_bytes: int
    migration: int
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """A database as an archive left it; `migration` is the archive's, later ones were applied."""

    database: str
    file: Path
    migration: int
    rows: Mapping[str, int]
