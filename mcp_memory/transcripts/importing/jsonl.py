"""JSON lines in our own shape: what `append` takes, one message a line, with its session.

    {"session_id": "s1", "role": "user", "content": "Hello", "id": "m1", "speaker": "Ann",
     "created_at": "2026-03-01T09:00:00Z", "metadata": {}, "source": "chat"}

Only role and content are needed; a file without session_id is one session of the file's name. The
content may be blocks, `created_at` a number since 1970.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from mcp_memory.errors import InvalidInput
from mcp_memory.text.times.arguments import parse_instant
from mcp_memory.transcripts.importing.documents import Document, instant_of, object_at
from mcp_memory.transcripts.importing.documents import text_of as words_of
from mcp_memory.transcripts.importing.reading import Entry, Reading
from mcp_memory.transcripts.models import ROLES, NewMessage, Role

SOURCE = "import"


def entries(document: Document, reading: Reading) -> Iterator[Entry]:
    """The one message of the line; `InvalidInput` when it is none."""
    if "content" not in document:
        raise InvalidInput("content", "is missing")
    message = NewMessage(
        role=_role(document),
        content=words_of(document.get("content")),
        id=_text(document, "id") or reading.line_id,
        speaker=_text(document, "speaker"),
        created_at=_created_at(document, reading),
        metadata=_metadata(document),
    )
    session_id = _text(document, "session_id") or reading.session_id
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


def _created_at(document: Document, reading: Reading) -> datetime | None:
    """When it was said; `InvalidInput` for what is no date, which must not become today."""
    value = document.get("created_at")
    if value is None or value == "":
        return None
    if isinstance(value, str):
        return parse_instant("created_at", value, now=datetime.now(UTC), zone=reading.zone)
    if (instant := instant_of(value)) is None:
        raise InvalidInput("created_at", "use an ISO date, or milliseconds since 1970")
    return instant


def _metadata(document: Document) -> Document:
    if not isinstance(document.get("metadata") or {}, dict):
        raise InvalidInput("metadata", "use an object")
    return object_at(document, "metadata")
