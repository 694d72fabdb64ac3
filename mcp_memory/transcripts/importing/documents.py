"""Looking into JSON that others wrote: what is not of the expected kind is simply not there."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeAlias, cast

Document: TypeAlias = Mapping[str, object]

_NOTHING: Document = {}
# As seconds it would be the year 5138, as milliseconds it is 1973.
_LEAST_MILLISECONDS = 1e11


def text_at(document: Document, name: str) -> str:
    """The text under a name, else an empty one."""
    value = document.get(name)
    return value if isinstance(value, str) else ""


def object_at(document: Document, name: str) -> Document:
    """The object under a name, else an empty one."""
    value = document.get(name)
    return cast("Document", value) if isinstance(value, Mapping) else _NOTHING


def blocks_of(content: object) -> Iterator[Document]:
    """The blocks of a message's content; a plain text is one block of text."""
    if isinstance(content, str):
        yield {"type": "text", "text": content}
    elif isinstance(content, list):
        for block in cast("list[object]", content):
            if isinstance(block, Mapping):
                yield cast("Document", block)


def text_of(content: object) -> str:
    """What a content says in words; a picture is only mentioned."""
    texts = (_block_text(block) for block in blocks_of(content))
    return "\n".join(text for text in texts if text)


def _block_text(block: Document) -> str:
    match block.get("type"):
        case "text":
            return text_at(block, "text")
        case "image":
            return "[image]"
        case _:
            return ""


def instant_at(document: Document, name: str) -> datetime | None:
    """The instant under a name, if it is one."""
    return instant_of(document.get(name))


def instant_of(value: object) -> datetime | None:
    """The instant: ISO 8601, in UTC where it has no zone, or milliseconds or seconds since 1970."""
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value / 1000 if abs(value) >= _LEAST_MILLISECONDS else value
            return datetime.fromtimestamp(seconds, tz=UTC)
        if isinstance(value, str):
            instant = datetime.fromisoformat(value)
            return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
