"""From messages to the chunks they are found by: pieces of long ones, windows around short ones.

A conversation's order is that of its instants, then of arrival; what tools said stands outside of
it. So the windows are the same however the messages came: one by one, in bulk, or late.
"""

import hashlib
from collections.abc import Container, Iterator, Sequence
from datetime import date

from mcp_memory.text.chunking import chunk_markdown, chunk_text
from mcp_memory.text.findable import Findable
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.models import Piece, Role, Spoken

NEIGHBOUR_CHARS = 600


def pieces_of(role: Role, content: str, told: date) -> list[Piece]:
    """The pieces of a message said on that day, analysed; most messages are one."""
    chunks = chunk_text(content) if role == "tool" else chunk_markdown(content)
    return [
        Piece(
            position=position,
            heading=chunk.heading,
            start_line=chunk.start_line,
            end_line=chunk.end_line,
            text=chunk.text,
            tokens=estimate_tokens(chunk.text),
            lexemes=Findable(chunk.heading, chunk.text, told).lexemes,
        )
        for position, chunk in enumerate(chunks)
    ]


def is_short(role: Role, pieces: Sequence[Piece]) -> bool:
    """Whether the message is embedded with its neighbours around it."""
    return role != "tool" and len(pieces) == 1


def windows(spoken: Sequence[Spoken], added: Container[int]) -> Iterator[tuple[int, str]]:
    """The new context of each short message that was added or has a neighbour that was.

    `spoken` is in the order of the conversation and reaches two messages past what was added.
    """
    for place, this in enumerate(spoken):
        around = spoken[max(0, place - 1) : place + 2]
        if this.text is not None and any(near.message in added for near in around):
            before = spoken[place - 1] if place > 0 else None
            after = spoken[place + 1] if place + 1 < len(spoken) else None
            yield this.message, _window(before, this, this.text, after)


def _window(before: Spoken | None, this: Spoken, text: str, after: Spoken | None) -> str:
    lines = [
        f"{before.name}: {before.tail.strip()}" if before else "",
        f"{this.name}: {text.strip()}",
        f"{after.name}: {after.head.strip()}" if after else "",
    ]
    return "\n".join(line for line in lines if line)


def text_hash(embedded: str) -> bytes:
    """The fingerprint of what is embedded: equal ones share a vector."""
    return hashlib.sha256(embedded.encode()).digest()
