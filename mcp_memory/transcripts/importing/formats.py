"""Which format a file has, and its lines as messages: one entry for each format."""

from collections.abc import Callable, Iterator
from typing import Literal, get_args

from mcp_memory.transcripts.importing import claude_code, jsonl, openclaw
from mcp_memory.transcripts.importing.documents import Document, object_at, text_at
from mcp_memory.transcripts.importing.reading import Entry, Reading

FormatName = Literal["jsonl", "openclaw", "claude-code"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)

_READERS: dict[str, Callable[[Document, Reading], Iterator[Entry]]] = {
    "jsonl": jsonl.entries,
    "openclaw": openclaw.entries,
    "claude-code": claude_code.entries,
}
_CLAUDE_TYPES = {
    "summary",
    "system",
    "user",
    "assistant",
    "progress",
    "attachment",
    "queue-operation",
    "file-history-snapshot",
}


def recognize(document: Document) -> FormatName | None:
    """The format that a line is of; None when it does not tell."""
    kind = text_at(document, "type")
    if kind == "session" and "version" in document:
        return "openclaw"
    if kind == "message" and object_at(document, "message"):
        return "openclaw"
    if kind in _CLAUDE_TYPES and ("sessionId" in document or "leafUuid" in document):
        return "claude-code"
    if text_at(document, "role") and "content" in document:
        return "jsonl"
    return None


def read_entries(document: Document, reading: Reading) -> Iterator[Entry]:
    """The messages that a line of the file holds."""
    return _READERS[reading.format](document, reading)
