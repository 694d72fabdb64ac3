"""A batch of messages, validated and prepared for storing: pure functions, no database."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from uuid import uuid4

from mcp_memory.config import LimitsConfig
from mcp_memory.errors import InvalidInput
from mcp_memory.text.findable import day_of
from mcp_memory.text.storable import is_storable
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.echoes import own_words
from mcp_memory.transcripts.indexing import pieces_of
from mcp_memory.transcripts.models import ROLES, AppendMessages, NewMessage, Piece
from mcp_memory.transcripts.redaction import redacted, redacted_values

MAX_MESSAGES = 1000
_MAX_NAME_CHARS = 200
_METADATA_BYTES = 65_536
_FIRST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """What of a batch is to be stored, in order: messages, their pieces and their tokens."""

    messages: list[NewMessage]
    pieces: list[list[Piece]]
    tokens: list[int]
    repeated: int
    ignored: int


def check(request: AppendMessages, limits: LimitsConfig) -> None:
    """`InvalidInput` when any of it cannot be stored; then nothing is."""
    _check_name("session_id", request.session_id, is_required=True)
    _check_name("source", request.source)
    if not request.messages:
        raise InvalidInput("messages", "is empty; give at least one message")
    if len(request.messages) > MAX_MESSAGES:
        raise InvalidInput("messages", f"at most {MAX_MESSAGES} at once")
    if (request.context_used is None) != (request.context_window is None):
        raise InvalidInput("context_tokens_used", "goes together with context_window")
    for place, message in enumerate(request.messages):
        _check_message(f"messages[{place}]", message, limits)


def _check_name(parameter: str, name: str, *, is_required: bool = False) -> None:
    if is_required and not name.strip():
        raise InvalidInput(parameter, "is empty")
    if len(name) > _MAX_NAME_CHARS or (name and not name.isprintable()):
        raise InvalidInput(parameter, f"at most {_MAX_NAME_CHARS} printable characters")


def _check_message(place: str, message: NewMessage, limits: LimitsConfig) -> None:
    if message.role not in ROLES:
        raise InvalidInput(f"{place}.role", f"use one of {', '.join(ROLES)}")
    _check_name(f"{place}.id", message.id)
    _check_name(f"{place}.speaker", message.speaker)
    if not message.content.strip():
        raise InvalidInput(f"{place}.content", "is empty")
    if not is_storable(message.content):
        raise InvalidInput(f"{place}.content", "holds NUL or half of a surrogate pair")
    if len(message.content.encode()) > limits.content_bytes:
        raise InvalidInput(f"{place}.content", f"is over {limits.content_bytes} bytes")
    metadata = _as_json(f"{place}.metadata", message.metadata)
    if not is_storable(metadata) or "\\u0000" in metadata:
        raise InvalidInput(f"{place}.metadata", "holds NUL or half of a surrogate pair")
    if len(metadata) > _METADATA_BYTES:
        raise InvalidInput(f"{place}.metadata", f"is over {_METADATA_BYTES} characters of JSON")
    instant = message.created_at
    if instant is not None and (instant.tzinfo is None or instant < _FIRST_INSTANT):
        raise InvalidInput(f"{place}.created_at", "needs a zone and a year from 1900 on")


def _as_json(parameter: str, metadata: Mapping[str, object]) -> str:
    try:
        return json.dumps(dict(metadata), default=str, ensure_ascii=False, allow_nan=False)
    except ValueError as exc:
        raise InvalidInput(parameter, "holds a number that is none, or too large") from exc


def prepare(messages: Sequence[NewMessage], zone: tzinfo) -> PreparedBatch:
    """What was really said, in the order of its instants, without secrets, analysed.

    `yesterday` in a message is counted from its day in `zone`.
    """
    now = datetime.now(UTC)
    said = [clean for message in messages if (clean := _cleaned(message)).content]
    distinct: dict[str, NewMessage] = {}
    for message in _ordered(said):
        distinct.setdefault(message.id, message)
    kept = list(distinct.values())
    return PreparedBatch(
        messages=kept,
        pieces=[
            pieces_of(
                message.role,
                message.content,
                day_of(message.created_at or now, zone),
            )
            for message in kept
        ],
        tokens=[estimate_tokens(message.content) for message in kept],
        repeated=len(said) - len(kept),
        ignored=len(messages) - len(said),
    )


def _cleaned(message: NewMessage) -> NewMessage:
    words = own_words(message.role, message.content, message.metadata)
    return replace(
        message,
        id=message.id or uuid4().hex,
        content=redacted(words) if words.strip() else "",
        metadata=redacted_values(message.metadata),
    )


def _ordered(messages: Sequence[NewMessage]) -> Sequence[NewMessage]:
    """By instant where each has one; else as they came."""
    instants = [message.created_at for message in messages]
    if None in instants:
        return messages
    return sorted(messages, key=lambda message: message.created_at or _FIRST_INSTANT)
