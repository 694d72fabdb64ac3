"""From what a fact says to the chunks it is found by."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import anyio.to_thread

from mcp_memory.graph.models import FactChunk, Mention
from mcp_memory.text.chunking import Chunk, chunk_markdown
from mcp_memory.text.findable import Findable
from mcp_memory.text.tokens import estimate_tokens

# Longer texts are analysed in a thread, so that the loop goes on answering.
_INLINE_CHARS = 8192
_MAX_HEADING_CHARS = 200


@dataclass(frozen=True, slots=True)
class ChunkContext:
    """What a fact is found by besides its text: its tags, the day on which its "yesterday" is the
    day before, and the day that it is of."""

    tags: Sequence[str]
    recorded_on: date
    occurred_on: date


async def chunks_of(
    content: str, mentions: Sequence[Mention], context: ChunkContext
) -> list[FactChunk]:
    """The chunks of a fact; under the names of its entities it is found too."""
    work = partial(_chunks_of, content, heading_of(mentions), context)
    if len(content) <= _INLINE_CHARS:
        return work()
    return await anyio.to_thread.run_sync(work)


def heading_of(mentions: Sequence[Mention]) -> str:
    """The entities' names, as many as fit."""
    heading = ""
    for name in dict.fromkeys(mention.name for mention in mentions):
        longer = f"{heading}, {name}" if heading else name
        if len(longer) > _MAX_HEADING_CHARS:
            break
        heading = longer
    return heading


def _chunks_of(content: str, names: str, context: ChunkContext) -> list[FactChunk]:
    return [
        _new_chunk(position, names, chunk, context)
        for position, chunk in enumerate(chunk_markdown(content))
    ]


def _new_chunk(position: int, names: str, chunk: Chunk, context: ChunkContext) -> FactChunk:
    heading = " — ".join(part for part in (names, chunk.heading) if part)
    indexed = f"{heading}\n{chunk.text}"
    return FactChunk(
        position=position,
        heading=heading,
        start_line=chunk.start_line,
        end_line=chunk.end_line,
        text=chunk.text,
        text_hash=hashlib.sha256(indexed.encode()).digest(),
        tokens=estimate_tokens(chunk.text),
        lexemes=Findable(
            heading, chunk.text, context.recorded_on, context.occurred_on, tags=context.tags
        ).lexemes,
    )
