"""An archive of pg_dump in its custom format: what is in it, and the SQL that it unfolds to.

Reading one needs no server: pg_restore writes a script, whatever PostgreSQL the archive is from.
"""

import subprocess
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

from mcp_memory.db.migrate import Applied
from mcp_memory.db.programs import client_program
from mcp_memory.errors import ArchiveUnusable
from mcp_memory.transfer.complaints import error_line_in
from mcp_memory.transfer.script import CountedScript, data_of, rows_in


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

    def migrations(self, contents: Sequence[str]) -> list[Applied]:
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


def _parse_migration(row: dict[str, str]) -> Applied:
    return Applied(
        number=int(row["number"]),
        name=row["name"],
        sha256=row["sha256"],
        applied_at=datetime.fromisoformat(row["applied_at"]),
    )
