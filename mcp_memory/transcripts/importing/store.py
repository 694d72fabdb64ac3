"""The SQL of files that are being read: how far, and what to remember."""

from dataclasses import dataclass

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mcp_memory.db.connection import Connection


@dataclass(frozen=True, slots=True)
class FileProgress:
    """How far a file has been read, its fingerprint so far, and what its reading remembers."""

    path: str
    read_to: int
    fingerprint: bytes
    state: dict[str, object]


_PROGRESS = """
SELECT path, read_to, fingerprint, state
FROM transcript_files
WHERE agent_id = current_agent() AND path = %(path)s
"""


async def read_progress(conn: Connection, path: str) -> FileProgress | None:
    """Where the caller stopped reading the file."""
    async with conn.cursor(row_factory=class_row(FileProgress)) as cursor:
        return await (await cursor.execute(_PROGRESS, {"path": path})).fetchone()


_SET_PROGRESS = """
INSERT INTO transcript_files (agent_id, path, read_to, fingerprint, state)
VALUES (current_agent(), %(path)s, %(read_to)s, %(fingerprint)s, %(state)s)
ON CONFLICT (agent_id, path)
DO UPDATE SET read_to = excluded.read_to, fingerprint = excluded.fingerprint,
              state = excluded.state, updated_at = now()
"""


async def set_progress(conn: Connection, progress: FileProgress) -> None:
    """Remember how far the file has been read."""
    await conn.execute(
        _SET_PROGRESS,
        {
            "path": progress.path,
            "read_to": progress.read_to,
            "fingerprint": progress.fingerprint,
            "state": Jsonb(progress.state),
        },
    )
