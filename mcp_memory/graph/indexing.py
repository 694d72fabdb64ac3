"""From what a memory says to the chunks it is found by."""

import hashlib
from collections.abc import Sequence

import anyio.to_thread

from mcp_memory.graph.models import Mention, NewChunk
from mcp_memory.text.chunking import Chunk, chunk_markdown
from mcp_memory.text.terms import tsvector
from mcp_memory.text.tokens import estimate_tokens

# Longer texts are analysed in a thread, so that the loop goes on answering.
_INLINE_CHARS = 8192
_LONGEST_HEADING = 200


async def chunks_of(content: str, mentions: Sequence[Mention]) -> list[NewChunk]:
    """The chunks of a memory; under the names of its entities it is found too."""
    names = heading_of(mentions)
    if len(content) <= _INLINE_CHARS:
        return _chunks_of(content, names)
    return await anyio.to_thread.run_sync(_chunks_of, content, names)


def heading_of(mentions: Sequence[Mention]) -> str:
    """The entities' names, as many as fit."""
    heading = ""
    for name in dict.fromkeys(mention.name for mention in mentions):
        longer = f"{heading}, {name}" if heading else name
        if len(longer) > _LONGEST_HEADING:
            break
        heading = longer
    return heading


def _chunks_of(content: str, names: str) -> list[NewChunk]:
    return [_new_chunk(place, names, chunk) for place, chunk in enumerate(chunk_markdown(content))]


def _new_chunk(position: int, names: str, chunk: Chunk) -> NewChunk:
    heading = " — ".join(part for part in (names, chunk.heading) if part)
    indexed = f"{heading}\n{chunk.text}"
    return NewChunk(
        position=position,
        heading=heading,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        text_hash=hashlib.sha256(indexed.encode()).digest(),
        tokens=estimate_tokens(chunk.text),
        lexemes=tsvector(indexed),
    )
