"""The formats of session files, recognized by a line; and our own, one message a line:

    {"session_id": "s1", "role": "user", "content": "Hello", "id": "m1", "speaker": "Ann",
     "created_at": "2026-03-01T09:00:00Z", "metadata": {}, "source": "chat"}

Only role and content are needed; a file without session_id is one session of the file's name. The
content may be blocks, `created_at` a number since 1970.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal, get_args

from mcp_memory.errors import InvalidInput
from mcp_memory.memory.conversations.imports import claude_code, openclaw
from mcp_memory.memory.conversations.imports.entries import (
    Document,
    Entry,
    FileState,
    instant_of,
    object_at,
    text_at,
)
from mcp_memory.memory.conversations.imports.entries import text_of as words_of
from mcp_memory.memory.conversations.models import ROLES, NewMessage, Role
from mcp_memory.text.dates import parse_instant

SOURCE = "import"


def entries(document: Document, state: FileState) -> Iterator[Entry]:
    """The one message of the line; `InvalidInput` when it is none."""
    if "content" not in document:
        raise InvalidInput("content", "is missing")
    message = NewMessage(
        role=_role(document),
        content=words_of(document.get("content")),
        id=_text(document, "id") or state.line_id,
        speaker=_text(document, "speaker"),
        created_at=_read_time(document, state),
        metadata=_metadata(document),
    )
    session_id = _text(document, "session_id") or state.session_id
    yield Entry(session_id, _text(document, "source") or SOURCE, message)


def _role(document: Document) -> Role:
    for role in ROLES:
        if document.get("role") == role:
            return role
    raise InvalidInput("role", f"use one of {', '.join(ROLES)}")


def _text(document: Document, name: str) -> str:
    """The text under a name; what numbers its messages or sessions may do so with numbers."""
    match document.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case int() as number if name.endswith("id") and not isinstance(number, bool):
            return str(number)
        case _:
            raise InvalidInput(name, "use text")


def _read_time(document: Document, state: FileState) -> datetime | None:
    """When it was said; `InvalidInput` for what is no date, which must not become today."""
    value = document.get("created_at")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return parse_instant("created_at", value, now=datetime.now(UTC), zone=state.zone)
    if (instant := instant_of(value)) is None:
        raise InvalidInput("created_at", "use an ISO date, or milliseconds since 1970")
    return instant


def _metadata(document: Document) -> Document:
    if not isinstance(document.get("metadata") or {}, dict):
        raise InvalidInput("metadata", "use an object")
    return object_at(document, "metadata")


FormatName = Literal["jsonl", "openclaw", "claude-code"]
FORMATS: tuple[FormatName, ...] = get_args(FormatName)

_READERS: dict[str, Callable[[Document, FileState], Iterator[Entry]]] = {
    "jsonl": entries,
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


def read_entries(document: Document, state: FileState) -> Iterator[Entry]:
    """The messages that a line of the file holds."""
    return _READERS[state.format](document, state)
