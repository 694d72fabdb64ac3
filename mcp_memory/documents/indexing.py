"""From a document's text to the chunks it is found by, keeping what did not change."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial

import anyio.to_thread

from mcp_memory.documents.models import NewChunk
from mcp_memory.text.chunking import Chunk, chunk_markdown
from mcp_memory.text.findable import Findable
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
