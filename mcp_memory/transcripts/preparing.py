"""A batch of messages, checked and prepared for storing; no database is needed for it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from uuid import uuid4

import anyio.to_thread

from mcp_memory.config import LimitsConfig
from mcp_memory.errors import InvalidInput
from mcp_memory.text.findable import day_of
from mcp_memory.text.storable import is_storable
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.echoes import own_words
from mcp_memory.transcripts.indexing import passages_of
from mcp_memory.transcripts.models import ROLES, AppendMessages, NewMessage, Passage
from mcp_memory.transcripts.redaction import redact, redact_values

MAX_MESSAGES = 1000
_MAX_NAME_CHARS = 200
_METADATA_BYTES = 65_536
# Longer batches are analysed in a thread, so that the loop goes on answering.
_INLINE_CHARS = 16_384
_FIRST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PreparedMessage:
    """A message as it is stored, the passages it is found by, and its tokens."""

    message: NewMessage
    passages: list[Passage]
    tokens: int


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """What of a batch is to be stored, in order; how many ids were given twice, or say nothing."""

    messages: list[PreparedMessage]
    repeated: int
    ignored: int


def check(request: AppendMessages, limits: LimitsConfig) -> None:
    """Raise `InvalidInput` when any part of the request cannot be stored."""
    _check_name("session_id", request.session_id, is_required=True)
    _check_name("source", request.source)
    if not request.messages:
        raise InvalidInput("messages", "is empty; give at least one message")
    if len(request.messages) > MAX_MESSAGES:
        raise InvalidInput("messages", f"at most {MAX_MESSAGES} at once")
    if (request.context_used is None) != (request.context_window is None):
        raise InvalidInput("context_tokens_used", "goes together with context_window")
    for index, message in enumerate(request.messages):
        _check_message(f"messages[{index}]", message, limits)


def _check_name(parameter: str, name: str, *, is_required: bool = False) -> None:
    if is_required and not name.strip():
        raise InvalidInput(parameter, "is empty")
    if len(name) > _MAX_NAME_CHARS or (name and not name.isprintable()):
        raise InvalidInput(parameter, f"at most {_MAX_NAME_CHARS} printable characters")


def _check_message(parameter: str, message: NewMessage, limits: LimitsConfig) -> None:
    if message.role not in ROLES:
        raise InvalidInput(f"{parameter}.role", f"use one of {', '.join(ROLES)}")
    _check_name(f"{parameter}.id", message.id)
    _check_name(f"{parameter}.speaker", message.speaker)
    if not message.content.strip():
        raise InvalidInput(f"{parameter}.content", "is empty")
    if not is_storable(message.content):
        raise InvalidInput(f"{parameter}.content", "holds NUL or half of a surrogate pair")
    if len(message.content.encode()) > limits.content_bytes:
        raise InvalidInput(f"{parameter}.content", f"is over {limits.content_bytes} bytes")
    metadata = _as_json(f"{parameter}.metadata", message.metadata)
    if not is_storable(metadata) or "\\u0000" in metadata:
        raise InvalidInput(f"{parameter}.metadata", "holds NUL or half of a surrogate pair")
    if len(metadata) > _METADATA_BYTES:
        raise InvalidInput(f"{parameter}.metadata", f"is over {_METADATA_BYTES} characters of JSON")
    instant = message.created_at
    if instant is not None and (instant.tzinfo is None or instant < _FIRST_INSTANT):
        raise InvalidInput(f"{parameter}.created_at", "needs a zone and a year from 1900 on")


def _as_json(parameter: str, metadata: Mapping[str, object]) -> str:
    try:
        return json.dumps(dict(metadata), default=str, ensure_ascii=False, allow_nan=False)
    except ValueError as exc:
        raise InvalidInput(parameter, "holds a number that is none, or too large") from exc


async def prepare_batch(messages: Sequence[NewMessage], zone: tzinfo) -> PreparedBatch:
    """What was really said, in the order of its instants, without secrets, analysed.

    `yesterday` in a message is counted from its day in `zone`.
    """
    if sum(len(message.content) for message in messages) <= _INLINE_CHARS:
        return _prepare(messages, zone)
    return await anyio.to_thread.run_sync(_prepare, messages, zone)


def _prepare(messages: Sequence[NewMessage], zone: tzinfo) -> PreparedBatch:
    now = datetime.now(UTC)
    kept = [clean for message in messages if (clean := _clean(message)).content]
    distinct: dict[str, NewMessage] = {}
    for message in _in_order(kept):
        distinct.setdefault(message.id, message)
    return PreparedBatch(
        messages=[_prepare_message(message, now, zone) for message in distinct.values()],
        repeated=len(kept) - len(distinct),
        ignored=len(messages) - len(kept),
    )


def _prepare_message(message: NewMessage, now: datetime, zone: tzinfo) -> PreparedMessage:
    day = day_of(message.created_at or now, zone)
    passages = passages_of(message.role, message.content, day)
    return PreparedMessage(message, passages, estimate_tokens(message.content))


def _clean(message: NewMessage) -> NewMessage:
    words = own_words(message.role, message.content, message.metadata)
    return replace(
        message,
        id=message.id or uuid4().hex,
        content=redact(words) if words.strip() else "",
        metadata=redact_values(message.metadata),
    )


def _in_order(messages: Sequence[NewMessage]) -> Sequence[NewMessage]:
    """By instant where each has one; else as they came."""
    instants = [message.created_at for message in messages]
    if None in instants:
        return messages
    return sorted(messages, key=lambda message: message.created_at or _FIRST_INSTANT)
