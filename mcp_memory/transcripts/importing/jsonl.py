"""JSON lines in our own shape: what `append` takes, one message a line, with its session.

    {"session_id": "s1", "role": "user", "content": "Hello", "id": "m1", "speaker": "Ann",
     "created_at": "2026-03-01T09:00:00Z", "metadata": {}, "source": "chat"}

Only role and content are needed; a file without session_id is one session of the file's name.
"""

from collections.abc import Iterator

from mcp_memory.errors import InvalidInput
from mcp_memory.transcripts.importing.documents import Document, instant_at, object_at, text_at
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
        id=text_at(document, "id") or reading.line_id,
        speaker=text_at(document, "speaker"),
        created_at=instant_at(document, "created_at"),
        metadata=object_at(document, "metadata"),
    )
    session_id = text_at(document, "session_id") or reading.session_id
    yield Entry(session_id, text_at(document, "source") or SOURCE, message)


def _role(document: Document) -> Role:
    for role in ROLES:
        if document.get("role") == role:
            return role
    raise InvalidInput("role", f"use one of {', '.join(ROLES)}")
