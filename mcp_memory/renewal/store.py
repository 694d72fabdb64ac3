"""The SQL of renewal; run as the worker, or as the agent whose document it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.text.findable import INDEXING


@dataclass(frozen=True, slots=True)
class Stale:
    """A chunk that was indexed in an earlier way, and what it is found by."""

    id: int
    heading: str
    text: str
    name: str
    tags: list[str]
    told_at: datetime
    occurred_at: datetime


# The order makes the planner take the index, however little it knows of what is left.
_STALE = """
SELECT c.id, c.heading, c.text, CASE WHEN c.document_id IS NULL THEN '' ELSE c.path END AS name,
       c.tags, coalesce(told_at(c.memory_id, c.memory_version), c.occurred_at) AS told_at,
       c.occurred_at
FROM chunks c
WHERE c.indexed_by < %(indexing)s
ORDER BY c.indexed_by
LIMIT %(limit)s
FOR NO KEY UPDATE OF c SKIP LOCKED
"""


async def stale(conn: Connection, limit: int) -> list[Stale]:
    """Some chunks to renew, held until the transaction ends; what somebody changes is left out."""
    async with conn.cursor(row_factory=class_row(Stale)) as cursor:
        found = await cursor.execute(_STALE, {"indexing": INDEXING, "limit": limit})
        return await found.fetchall()


_STALE_OF_DOCUMENT = """
SELECT c.id, c.heading, c.text, c.path AS name, c.tags, c.occurred_at AS told_at, c.occurred_at
FROM chunks c
WHERE c.document_id = %(document)s AND c.indexed_by < %(indexing)s
"""


async def stale_of_document(conn: Connection, document: int) -> list[Stale]:
    """The chunks of a document to renew; whoever asks is the one who writes it."""
    async with conn.cursor(row_factory=class_row(Stale)) as cursor:
        parameters = {"document": document, "indexing": INDEXING}
        return await (await cursor.execute(_STALE_OF_DOCUMENT, parameters)).fetchall()


_RENEW = """
UPDATE chunks c
SET lexemes = n.lexemes, indexed_by = %(indexing)s
FROM unnest(%(ids)s::bigint[], %(lexemes)s::tsvector[]) n (id, lexemes)
WHERE c.id = n.id
"""


async def renew(conn: Connection, ids: Sequence[int], lexemes: Sequence[str]) -> None:
    """Let the chunks be found by these lexemes."""
    parameters = {"ids": list(ids), "lexemes": list(lexemes), "indexing": INDEXING}
    await conn.execute(_RENEW, parameters)


_WAITING = """
SELECT count(*)
FROM chunks
WHERE indexed_by < %(indexing)s
"""


async def waiting(conn: Connection) -> int:
    """How many chunks are still to be renewed."""
    row = await (await conn.execute(_WAITING, {"indexing": INDEXING})).fetchone()
    assert row is not None
    return int(row[0])
