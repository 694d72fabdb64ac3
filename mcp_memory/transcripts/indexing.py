"""The passages that messages are found by: parts of long ones, windows around short ones.

A conversation's order is that of its instants, then of arrival; what tools said stands outside of
it. So the windows are the same however the messages came: one by one, in bulk, or late.
"""

import hashlib
from collections.abc import Container, Iterator, Sequence
from datetime import date

from mcp_memory.text.chunking import chunk_markdown, chunk_text
from mcp_memory.text.findable import Findable
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.models import ContextChange, Neighbour, Passage, Role

# How much of each neighbour a window shows: about the paragraph that is next to the message.
NEIGHBOUR_CHARS = 600


def passages_of(role: Role, content: str, day: date) -> list[Passage]:
    """The passages of a message said on that day, analysed; most messages are one."""
    chunks = chunk_text(content) if role == "tool" else chunk_markdown(content)
    return [
        Passage(
            position=position,
            heading=chunk.heading,
            start_line=chunk.start_line,
            end_line=chunk.end_line,
            text=chunk.text,
            tokens=estimate_tokens(chunk.text),
            lexemes=Findable(chunk.heading, chunk.text, day).lexemes,
        )
        for position, chunk in enumerate(chunks)
    ]


def is_short(role: Role, passages: Sequence[Passage]) -> bool:
    """Whether the message is embedded with its neighbours around it."""
    return role != "tool" and len(passages) == 1


def windows(neighbours: Sequence[Neighbour], added: Container[int]) -> Iterator[ContextChange]:
    """The new context of each short message that was added or has a neighbour that was.

    `neighbours` are in the order of the conversation and reach two messages past what was added.
    """
    for position, this in enumerate(neighbours):
        around = neighbours[max(0, position - 1) : position + 2]
        if this.text is not None and any(near.message in added for near in around):
            before = neighbours[position - 1] if position > 0 else None
            after = neighbours[position + 1] if position + 1 < len(neighbours) else None
            window = _window(before, this, this.text, after)
            yield ContextChange(this.message, window, text_hash(window))


def _window(before: Neighbour | None, this: Neighbour, text: str, after: Neighbour | None) -> str:
    lines = [
        f"{before.name}: {before.tail.strip()}" if before else "",
        f"{this.name}: {text.strip()}",
        f"{after.name}: {after.head.strip()}" if after else "",
    ]
    return "\n".join(line for line in lines if line)


def text_hash(embedded: str) -> bytes:
    """The fingerprint of what is embedded: equal ones share a vector."""
    return hashlib.sha256(embedded.encode()).digest()
