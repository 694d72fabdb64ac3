"""What the lines of a session file become, and what is remembered between them."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from hashlib import sha256
from typing import Literal, Self, TypeAlias, cast

from mcp_memory.memory.conversations.models import NewMessage

# Calls whose results never come must not pile up in the kept state.
_MAX_CALLS = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A message and the conversation it belongs to."""

    session_id: str
    source: str
    message: NewMessage


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call of a tool, or its result, in words."""

    tool: str
    call_id: str
    kind: Literal["call", "result"]
    text: str

    def message(self, message_id: str, created_at: datetime | None) -> NewMessage:
        """What the tool said, as a message."""
        return NewMessage(
            role="tool",
            content=self.text,
            id=message_id,
            speaker=self.tool,
            created_at=created_at,
            metadata={"tool": self.tool, "call_id": self.call_id, "kind": self.kind},
        )


@dataclass(slots=True)
class FileState:
    """A file being read: its format ("" while unknown), its session, and the tools just called.

    `line_id` names the line by its content and position, for messages that bring no id; dates that
    name no zone are in `zone`.
    """

    format: str
    session_id: str
    zone: tzinfo = UTC
    calls: dict[str, str] = field(default_factory=dict[str, str])
    line_id: str = ""

    def remember_call(self, call_id: str, tool: str) -> None:
        """Remember the name of a tool until its result comes."""
        self.calls[call_id] = tool
        for oldest in list(self.calls)[:-_MAX_CALLS]:
            del self.calls[oldest]

    def take_call(self, call_id: str) -> str:
        """The name of the tool whose result this is, once; empty when it was not remembered."""
        return self.calls.pop(call_id, "")

    def as_json(self) -> dict[str, object]:
        """What is kept in the database."""
        return {"format": self.format, "session_id": self.session_id, "calls": dict(self.calls)}

    @classmethod
    def of_json(cls, state: Mapping[str, object], zone: tzinfo) -> Self:
        """The state as it was kept."""
        calls = cast("dict[str, str]", state["calls"])
        return cls(str(state["format"]), str(state["session_id"]), zone, dict(calls))


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


_NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
_MAX_ID_CHARS = 180
_MAX_METADATA_CHARS = 32_768


def fit_message(message: NewMessage, most_bytes: int) -> Iterator[NewMessage]:
    """The message, or its parts where it is longer than one may be; what is no text is marked."""
    clean = replace(
        message,
        id=message.id
        if len(message.id) <= _MAX_ID_CHARS
        else sha256(message.id.encode()).hexdigest(),
        content=_NOT_STORABLE.sub("\ufffd", message.content),
        metadata=_fit_metadata(message),
    )
    for number, part in enumerate(_split_content(clean.content, most_bytes), start=1):
        suffix = "" if number == 1 else f"/{number}"
        yield replace(clean, id=f"{clean.id}{suffix}", content=part)


def _fit_metadata(message: NewMessage) -> dict[str, object]:
    plain = json.dumps(dict(message.metadata), default=str, ensure_ascii=False)
    clean = _NOT_STORABLE.sub("\ufffd", plain).replace("\\u0000", "\ufffd")
    return cast("dict[str, object]", json.loads(clean)) if len(clean) <= _MAX_METADATA_CHARS else {}


def _split_content(content: str, most_bytes: int) -> Iterator[str]:
    encoded = content.encode()
    start = 0
    while len(encoded) - start > most_bytes:
        end = start + most_bytes
        # Not inside a letter: continuation bytes begin with the bits 10.
        while encoded[end] & 0xC0 == 0x80:
            end -= 1
        yield encoded[start:end].decode()
        start = end
    yield encoded[start:].decode()
