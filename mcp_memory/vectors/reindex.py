"""Reindexing in the background: what an earlier version indexed is found as new chunks are.

Small steps, as much rest as work, until nothing is left.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from weakref import WeakKeyDictionary

import anyio
import anyio.to_thread
from psycopg.rows import class_row

from mcp_memory.background import every
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database, Session
from mcp_memory.text.findable import INDEXING, Findable, day_of

# Some ten milliseconds of work, for which a writer of these very chunks would wait.
_STEP = 50
_PAUSE_SECONDS = 2.0
# An older version may go on writing beside this one.
_ROUNDS_BETWEEN_LOOKS = 30

logger = logging.getLogger(__name__)


class Reindexer:
    """Lets old chunks of every named database be found as new ones are."""

    def __init__(self, databases: Databases, zone: tzinfo) -> None:
        self._databases, self._zone = databases, zone
        self._rests: WeakKeyDictionary[Database, int] = WeakKeyDictionary()

    async def waiting(self, session: Session) -> int:
        """How many chunks of all agents are indexed in an earlier way."""
        async with session.maintaining() as conn:
            return await count_stale(conn)

    async def finish(
        self,
        session: Session,
        *,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> int:
        """Reindex all that is left now, without rest; how many chunks this process did."""
        database = await session.open(create=True)
        async with database.maintaining() as conn:
            total = await count_stale(conn)
        done = 0
        while some := await self._step(database):
            done += some
            progress(done, max(done, total))
        return done

    async def run_worker(self) -> None:
        """Reindex, until cancelled, what the open databases have left from before."""
        await every(_PAUSE_SECONDS, "the index", self._reindex_when_due, self._databases.list_open)

    async def _reindex_when_due(self, database: Database) -> None:
        rests = self._rests.get(database, 0)
        self._rests[database] = rests - 1 if rests else _ROUNDS_BETWEEN_LOOKS
        if not rests:
            await self._reindex(database)

    async def _reindex(self, database: Database) -> None:
        done = 0
        while True:
            began = anyio.current_time()
            some = await self._step(database)
            if not some:
                break
            done += some
            await anyio.sleep(anyio.current_time() - began)
        if done:
            logger.info("%d chunks of %s are indexed anew", done, database.name)

    async def _step(self, database: Database) -> int:
        async with database.maintaining() as conn:
            return await reindex_some(conn, self._zone, _STEP)


@dataclass(frozen=True, slots=True)
class StaleChunk:
    """A chunk that was indexed in an earlier way, and what it is found by."""

    id: int
    heading: str
    text: str
    name: str
    tags: list[str]
    told_at: datetime
    occurred_at: datetime


async def reindex_some(conn: Connection, zone: tzinfo, limit: int) -> int:
    """Reindex up to so many chunks; how many there were."""
    return await _reindex_chunks(conn, zone, await stale_chunks(conn, limit))


async def reindex_document(conn: Connection, zone: tzinfo, document: int) -> None:
    """Reindex the document's chunks that an earlier version wrote."""
    await _reindex_chunks(conn, zone, await stale_chunks_of(conn, document))


async def _reindex_chunks(conn: Connection, zone: tzinfo, chunks: Sequence[StaleChunk]) -> int:
    if chunks:
        lexemes = await anyio.to_thread.run_sync(_lexemes, chunks, zone)
        await _save(conn, [chunk.id for chunk in chunks], lexemes)
    return len(chunks)


def _lexemes(chunks: Sequence[StaleChunk], zone: tzinfo) -> list[str]:
    return [_findable(chunk, zone).lexemes for chunk in chunks]


def _findable(chunk: StaleChunk, zone: tzinfo) -> Findable:
    return Findable(
        chunk.heading,
        chunk.text,
        day_of(chunk.told_at, zone),
        day_of(chunk.occurred_at, zone),
        chunk.name,
        chunk.tags,
    )


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


async def stale_chunks(conn: Connection, limit: int) -> list[StaleChunk]:
    """Some chunks to index anew, locked until the transaction ends, but those that are locked."""
    async with conn.cursor(row_factory=class_row(StaleChunk)) as cursor:
        parameters = {"indexing": INDEXING, "limit": limit}
        return await (await cursor.execute(_STALE, parameters)).fetchall()


_STALE_OF_DOCUMENT = """
SELECT c.id, c.heading, c.text, c.path AS name, c.tags, c.occurred_at AS told_at, c.occurred_at
FROM chunks c
WHERE c.document_id = %(document)s AND c.indexed_by < %(indexing)s
"""


async def stale_chunks_of(conn: Connection, document: int) -> list[StaleChunk]:
    """The chunks of a document to index anew; whoever asks is the one who writes it."""
    async with conn.cursor(row_factory=class_row(StaleChunk)) as cursor:
        parameters = {"document": document, "indexing": INDEXING}
        return await (await cursor.execute(_STALE_OF_DOCUMENT, parameters)).fetchall()


_REINDEX = """
UPDATE chunks c
SET lexemes = n.lexemes, indexed_by = %(indexing)s
FROM unnest(%(ids)s::bigint[], %(lexemes)s::tsvector[]) n (id, lexemes)
WHERE c.id = n.id
"""


async def _save(conn: Connection, ids: Sequence[int], lexemes: Sequence[str]) -> None:
    """Let the chunks be found by these lexemes."""
    parameters = {"ids": list(ids), "lexemes": list(lexemes), "indexing": INDEXING}
    await conn.execute(_REINDEX, parameters)


_COUNT_STALE = """
SELECT count(*)
FROM chunks
WHERE indexed_by < %(indexing)s
"""


async def count_stale(conn: Connection) -> int:
    """How many chunks are indexed in an earlier way."""
    row = await (await conn.execute(_COUNT_STALE, {"indexing": INDEXING})).fetchone()
    assert row is not None
    return int(row[0])
