"""An archive of pg_dump in its custom format: what is in it, and the SQL that it unfolds to.

Reading one needs no server: pg_restore writes a script, whatever PostgreSQL the archive is from.
"""

import re
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from mcp_memory.errors import ArchiveUnusable
from mcp_memory.postgres.migrate import AppliedMigration
from mcp_memory.postgres.programs import client_program

# How pg_dump begins the rows of a table; each stands in a line of its own until the line `\.`.
_COPY = re.compile(rb'COPY mcp_memory\."?(\w+)"? \((.*)\) FROM stdin;')
_END = rb"\."
# The table of contents: number; two oids; what it is, its schema, its name, its owner.
_ENTRY = re.compile(r"\d+; \d+ \d+ (?P<what>.+)")
# Policies and grants name the roles of the server that the archive comes from.
_OF_ROLES = ("ACL ", "POLICY ", "ROW SECURITY ", "DEFAULT ACL ")
_NEWEST_SETTING = b"SET transaction_timeout = 0;"
# pg_dump sets everything within its first lines.
_HEAD_LINES = 40
_REVOCATION = re.compile(r"REVOKE \w+ ON \w+ mcp_memory\..+ FROM PUBLIC;")


class CountedScript:
    """A script that passes line by line, and how many rows of which table have passed."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self._lines = lines
        self.rows: dict[str, int] = {}

    def __iter__(self) -> Iterator[bytes]:
        """Every line but, at its head, what servers before 17 do not know."""
        lines = iter(self._lines)
        for number, line in enumerate(lines):
            if number < _HEAD_LINES and line.strip() == _NEWEST_SETTING:
                continue
            yield line
            if (header := _COPY.match(line)) is not None:
                yield from self._rows_of(header[1].decode(), lines)

    def _rows_of(self, table: str, lines: Iterator[bytes]) -> Iterator[bytes]:
        self.rows[table] = 0
        for line in lines:
            yield line
            if line.rstrip(b"\r\n") == _END:
                return
            self.rows[table] += 1


def rows_in(lines: Iterable[bytes]) -> Iterator[dict[str, str]]:
    """The rows of the first table in a script, by column, as PostgreSQL writes them."""
    columns: list[str] = []
    for line in lines:
        if columns and line.rstrip(b"\r\n") == _END:
            return
        if columns:
            yield dict(zip(columns, line.decode().rstrip("\n").split("\t"), strict=True))
        elif (header := _COPY.match(line)) is not None:
            columns = header[2].decode().split(", ")


def without_roles(contents: Sequence[str]) -> list[str]:
    """The entries of a table of contents that any server can take."""
    return [entry for entry in contents if not _what(entry).startswith(_OF_ROLES)]


def grants(contents: Sequence[str]) -> list[str]:
    """The entries that say who may do what."""
    return [entry for entry in contents if _what(entry).startswith("ACL ")]


def data_of(contents: Sequence[str], table: str) -> list[str]:
    """The entry of a table's rows; none where the archive has no such table."""
    beginning = f"TABLE DATA mcp_memory {table} "
    return [entry for entry in contents if _what(entry).startswith(beginning)]


def _what(entry: str) -> str:
    match = _ENTRY.match(entry)
    return match["what"] if match else ""


def revocations(lines: Iterable[bytes]) -> list[str]:
    """The statements of a script of grants by which nobody may do what everybody could.

    They name no role of the server that the archive comes from.
    """
    statements = (line.decode(errors="replace").strip() for line in lines)
    return [statement for statement in statements if _REVOCATION.fullmatch(statement)]


_BEGINS = ("error: ", "ERROR:  ", "FATAL:  ")


def error_line_in(stderr: bytes) -> str:
    """The first error of them, without program and position; never the rows that it is about."""
    lines = stderr.decode(errors="replace").splitlines()
    for line in lines:
        for begin in _BEGINS:
            if begin in line:
                return line.partition(begin)[2].strip()
    return lines[-1].strip() if lines else "it ended without a word"


class Archive:
    """A file that pg_dump wrote; `ArchiveUnusable` for what is none, or is damaged."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._program = client_program("pg_restore", prefers_system=False)

    def contents(self) -> list[str]:
        """The entries of its table of contents, in the order of their restoring."""
        command = [self._program, "--list", str(self.file)]
        done = subprocess.run(command, capture_output=True, check=False)
        if done.returncode:
            raise ArchiveUnusable(str(self.file), error_line_in(done.stderr))
        lines = done.stdout.decode(errors="replace").splitlines()
        return [line for line in lines if line and not line.startswith(";")]

    @contextmanager
    def script(self, entries: Sequence[str]) -> Generator[CountedScript]:
        """The script of these entries, without owners.

        Reading it raises `ArchiveUnusable` where the archive breaks off: what came before that is
        no whole script.
        """
        with tempfile.TemporaryFile() as stderr, tempfile.NamedTemporaryFile("w+") as list_file:
            list_file.write("\n".join(entries))
            list_file.flush()
            command = [self._program, "--no-owner", f"--use-list={list_file.name}", "--file=-"]
            process = subprocess.Popen(
                [*command, str(self.file)], stdout=subprocess.PIPE, stderr=stderr
            )
            try:
                yield CountedScript(self._lines(process, stderr))
            finally:
                assert process.stdout is not None
                process.stdout.close()
                process.wait()

    def _lines(self, process: "subprocess.Popen[bytes]", stderr: IO[bytes]) -> Iterator[bytes]:
        assert process.stdout is not None
        yield from process.stdout
        if process.wait():
            stderr.seek(0)
            raise ArchiveUnusable(str(self.file), error_line_in(stderr.read()))

    def count_rows(self) -> dict[str, int]:
        """How many rows of each table it holds; every byte of them is read for it."""
        with self.script(self.contents()) as script:
            for _ in script:
                pass
            return script.rows

    def migrations(self, contents: Sequence[str]) -> list[AppliedMigration]:
        """The migrations that its database had; `ArchiveUnusable` when it was none of ours."""
        entries = data_of(contents, "migrations")
        if not entries:
            raise ArchiveUnusable(str(self.file), "it holds no memory of mcp-memory")
        with self.script(entries) as script:
            lines = list(script)
        try:
            migrations = [_parse_migration(row) for row in rows_in(lines)]
        except (KeyError, ValueError) as exc:
            raise ArchiveUnusable(
                str(self.file), "its migrations are none of mcp-memory's"
            ) from exc
        return sorted(migrations, key=lambda migration: migration.number)


def _parse_migration(row: dict[str, str]) -> AppliedMigration:
    return AppliedMigration(
        number=int(row["number"]),
        name=row["name"],
        sha256=row["sha256"],
        applied_at=datetime.fromisoformat(row["applied_at"]),
    )
