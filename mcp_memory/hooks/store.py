"""The SQL of hooks: what a prompt may be about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection


@dataclass(frozen=True, slots=True)
class Memory:
    """A passage that holds words of a prompt, with the share of the prompt's rarity in it."""

    agent_id: str
    path: str
    start_line: int
    end_line: int
    text: str
    occurred_at: datetime
    coverage: float


_MEMORIES = """
SELECT c.agent_id, c.path, c.start_line, c.end_line, c.text, c.occurred_at, f.coverage
FROM match_lexemes(
    %(lexemes)s,
    jsonb_populate_record(NULL::search_filter, '{"sources": ["documents", "graph"]}'),
    %(limit)s
) f
JOIN chunks c ON c.id = f.chunk_id
WHERE visible(c.agent_id, c.shared)
ORDER BY f.score DESC, c.id DESC
"""


async def memories(conn: Connection, lexemes: Sequence[str], limit: int) -> list[Memory]:
    """The passages that hold the rarest of these words, best first."""
    parameters = {"lexemes": list(lexemes), "limit": limit}
    async with conn.cursor(row_factory=class_row(Memory)) as cursor:
        return await (await cursor.execute(_MEMORIES, parameters)).fetchall()


_DOCUMENT = """
SELECT v.content
FROM documents d
JOIN document_versions v ON v.document_id = d.id AND v.version = d.version
WHERE d.agent_id = current_agent() AND d.path = %(path)s AND d.deleted_at IS NULL
"""


async def document(conn: Connection, path: str) -> str:
    """The caller's own document of that path; empty when there is none."""
    row = await (await conn.execute(_DOCUMENT, {"path": path})).fetchone()
    return "" if row is None else str(row[0])
