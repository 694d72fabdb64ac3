"""From a document's text to the chunks it is found by, and their rows; what is the same stays."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import anyio.to_thread

from mcp_memory.memory.documents.models import Document
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.chunking import Chunk, chunk_markdown
from mcp_memory.text.findable import INDEXING, Findable, NewChunk
from mcp_memory.text.tokens import estimate_tokens

# Longer texts are analysed in a thread, so that the loop goes on answering.
_INLINE_CHARS = 8192


@dataclass(frozen=True, slots=True)
class ChunkPlan:
    """What is to be done to a document's chunks: keep (by id, at a new position), add, remove."""

    kept: list[tuple[int, NewChunk]]
    added: list[NewChunk]
    removed: list[int]


async def split(text: str) -> list[NewChunk]:
    """The chunks of a Markdown text, without their lexemes."""
    if len(text) <= _INLINE_CHARS:
        return _split(text)
    return await anyio.to_thread.run_sync(_split, text)


def _split(text: str) -> list[NewChunk]:
    return [_new_chunk(position, chunk) for position, chunk in enumerate(chunk_markdown(text))]


def _new_chunk(position: int, chunk: Chunk) -> NewChunk:
    indexed = f"{chunk.heading}\n{chunk.text}"
    return NewChunk(
        position=position,
        heading=chunk.heading,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        text_hash=hashlib.sha256(indexed.encode()).digest(),
        tokens=estimate_tokens(chunk.text),
    )


async def add_lexemes(
    chunks: Sequence[NewChunk], *, path: str, tags: Sequence[str], day: date
) -> list[NewChunk]:
    """The chunks with their lexemes, of a document that tells of that day."""
    work = partial(_add_lexemes, chunks, path, tags, day)
    if sum(len(chunk.text) for chunk in chunks) <= _INLINE_CHARS:
        return work()
    return await anyio.to_thread.run_sync(work)


def _add_lexemes(
    chunks: Sequence[NewChunk], path: str, tags: Sequence[str], day: date
) -> list[NewChunk]:
    return [
        replace(
            chunk,
            lexemes=Findable(chunk.heading, chunk.text, day, name=path, tags=tags).lexemes,
        )
        for chunk in chunks
    ]


def plan(existing: Sequence[tuple[int, bytes]], chunks: Sequence[NewChunk]) -> ChunkPlan:
    """Match by what is indexed: a chunk that only moved keeps its row, its id and its vector."""
    free: dict[bytes, list[int]] = {}
    for chunk_id, text_hash in reversed(existing):
        free.setdefault(text_hash, []).append(chunk_id)
    kept: list[tuple[int, NewChunk]] = []
    added: list[NewChunk] = []
    for chunk in chunks:
        if ids := free.get(chunk.text_hash):
            kept.append((ids.pop(), chunk))
        else:
            added.append(chunk)
    removed = [chunk_id for ids in free.values() for chunk_id in ids]
    return ChunkPlan(kept, added, sorted(removed))


_CHUNK_HASHES = """
SELECT id, text_hash
FROM chunks
WHERE document_id = %(id)s
ORDER BY position
"""


async def chunk_hashes(conn: Connection, document_id: int) -> list[tuple[int, bytes]]:
    """The document's chunks in order: id, and the hash of what is indexed of it."""
    rows = await (await conn.execute(_CHUNK_HASHES, {"id": document_id})).fetchall()
    return [(int(row[0]), bytes(row[1])) for row in rows]


_ADD_CHUNK = """
INSERT INTO chunks (agent_id, shared, source, document_id, position, path, title, heading, tags,
                    start_line, end_line, text, text_hash, tokens, lexemes, occurred_at,
                    indexed_by)
VALUES (%(agent)s, %(shared)s, 'documents', %(document_id)s, %(position)s, %(path)s, %(title)s,
        %(heading)s, %(tags)s, %(start_line)s, %(end_line)s, %(text)s, %(text_hash)s, %(tokens)s,
        %(lexemes)s::tsvector, %(occurred_at)s, %(indexing)s)
"""


async def add_chunks(conn: Connection, document: Document, chunks: Sequence[NewChunk]) -> None:
    """Index these pieces of the document."""
    of_document = {
        "agent": document.agent_id,
        "shared": document.shared,
        "document_id": document.id,
        "path": document.path,
        "title": document.title,
        "tags": document.tags,
        "occurred_at": document.occurred_at or document.updated_at,
        "indexing": INDEXING,
    }
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _ADD_CHUNK, [of_document | _chunk_parameters(chunk) for chunk in chunks]
        )


def _chunk_parameters(chunk: NewChunk) -> dict[str, object]:
    return {
        "position": chunk.position,
        "heading": chunk.heading,
        "start_line": chunk.start_line,
        "end_line": chunk.end_line,
        "text": chunk.text,
        "text_hash": chunk.text_hash,
        "tokens": chunk.tokens,
        "lexemes": chunk.lexemes,
    }


_MOVE_CHUNK = """
UPDATE chunks
SET position = %(position)s, start_line = %(start_line)s, end_line = %(end_line)s
WHERE id = %(id)s
  AND (position, start_line, end_line) <> (%(position)s, %(start_line)s, %(end_line)s)
"""


async def move_chunks(conn: Connection, kept: Sequence[tuple[int, NewChunk]]) -> None:
    """Give unchanged chunks their new positions; a row that did not move is not touched."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _MOVE_CHUNK,
            [
                {
                    "id": chunk_id,
                    "position": chunk.position,
                    "start_line": chunk.start_line,
                    "end_line": chunk.end_line,
                }
                for chunk_id, chunk in kept
            ],
        )


# Tags and days are among what a chunk is found by.
_DESCRIBE_CHUNKS = """
UPDATE chunks
SET shared = %(shared)s, title = %(title)s, tags = %(tags)s,
    occurred_at = coalesce(%(occurred_at)s, occurred_at),
    indexed_by = CASE WHEN (tags, occurred_at) = (%(tags)s, coalesce(%(occurred_at)s, occurred_at))
                      THEN indexed_by ELSE 0 END
WHERE document_id = %(id)s
  AND (shared, title, tags, occurred_at)
      IS DISTINCT FROM (%(shared)s, %(title)s, %(tags)s, coalesce(%(occurred_at)s, occurred_at))
"""


async def describe_chunks(conn: Connection, document: Document) -> None:
    """Put on every chunk what is said of the whole document; some are to be renewed then."""
    await conn.execute(
        _DESCRIBE_CHUNKS,
        {
            "id": document.id,
            "shared": document.shared,
            "title": document.title,
            "tags": document.tags,
            "occurred_at": document.occurred_at,
        },
    )


async def remove_chunks(conn: Connection, ids: Sequence[int]) -> None:
    """Take these chunks out of every search."""
    await conn.execute("DELETE FROM chunks WHERE id = ANY (%(ids)s)", {"ids": list(ids)})


async def remove_all_chunks(conn: Connection, document_id: int) -> None:
    """Take the whole document out of every search."""
    await conn.execute("DELETE FROM chunks WHERE document_id = %(id)s", {"id": document_id})
