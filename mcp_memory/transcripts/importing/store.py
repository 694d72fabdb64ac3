"""The SQL of files that are being read: how far, and what to remember."""

from dataclasses import dataclass

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mcp_memory.db.connection import Connection


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a file has been read, by what it is known again, and what its reading was."""

    path: str
    read_to: int
    fingerprint: bytes
    state: dict[str, object]


_MARK = """
SELECT path, read_to, fingerprint, state
FROM transcript_files
WHERE agent_id = current_agent() AND path = %(path)s
"""


async def mark(conn: Connection, path: str) -> Mark | None:
    """Where the caller stopped reading the file."""
    async with conn.cursor(row_factory=class_row(Mark)) as cursor:
        return await (await cursor.execute(_MARK, {"path": path})).fetchone()


_SET_MARK = """
INSERT INTO transcript_files (agent_id, path, read_to, fingerprint, state)
VALUES (current_agent(), %(path)s, %(read_to)s, %(fingerprint)s, %(state)s)
ON CONFLICT (agent_id, path)
DO UPDATE SET read_to = excluded.read_to, fingerprint = excluded.fingerprint,
              state = excluded.state, updated_at = now()
"""


async def set_mark(conn: Connection, mark: Mark) -> None:
    """Remember how far the file has been read."""
    await conn.execute(
        _SET_MARK,
        {
            "path": mark.path,
            "read_to": mark.read_to,
            "fingerprint": mark.fingerprint,
            "state": Jsonb(mark.state),
        },
    )
