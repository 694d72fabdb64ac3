"""From a batch of new messages to what is stored of them: checked, redacted, cut into passages.

Heartbeats are left out, and what a memory itself had put into the context:
stored again, recalled text would be found as if it had been said anew, and grow with each recall.
"""

import hashlib
import json
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, tzinfo
from typing import cast
from uuid import uuid4

import anyio.to_thread

from mcp_memory.config import LimitsConfig
from mcp_memory.errors import InvalidInput
from mcp_memory.memory.conversations.models import (
    ROLES,
    AppendMessages,
    ContextChange,
    Neighbour,
    NewMessage,
    Passage,
    Role,
)
from mcp_memory.text.chunking import Chunk, chunk_markdown, chunk_text
from mcp_memory.text.findable import Findable, day_of
from mcp_memory.text.terms import is_storable
from mcp_memory.text.tokens import estimate_tokens

# The hooks put what they inject between these; a transcript that quotes it is cut there.
RECALLED_OPEN = '<recalled-memory source="mcp-memory">'
RECALLED_CLOSE = "</recalled-memory>"

_INJECTED = re.compile(
    r"<(?P<tag>recalled-memory|relevant-memories|memory-context|memory_context|system-reminder"
    r"|local-command-stdout|local-command-stderr|local-command-caveat|command-message|command-name"
    r"|command-contents|user-prompt-submit-hook|session-start-hook)\b[^<>]*>"
    r"[\s\S]*?(?:</(?P=tag)>|\Z)|<command-args>\s*</command-args>"
)
# Of a text without white space around it: what may begin anywhere in that is looked for from each
# of its places.
_HEARTBEAT = re.compile(
    r"(?:HEARTBEAT_OK|NO_REPLY|Read HEARTBEAT\.md if it exists\b[\s\S]*"
    r"|[\s\S]*\bIf nothing needs attention, reply (?:HEARTBEAT_OK|NO_REPLY))[.!]?"
)
_CONDENSED = re.compile(
    r"This session is being continued from a previous conversation that ran out of context"
)
_OWN_TOOL = re.compile(
    r"(?:mcp__[\w-]+__|\w+__)?(?:memory_search|memory_get|memory_list|memory_graph_recall"
    r"|memory_graph_query|memory_message|transcript)"
)


def own_words(role: str, content: str, metadata: Mapping[str, object]) -> str:
    """What of the message was really said; empty when nothing was."""
    is_call = metadata.get("kind") == "call"
    if role == "tool" and not is_call and is_recall(str(metadata.get("tool", ""))):
        return ""
    words = content.strip()
    if _HEARTBEAT.fullmatch(words) or _CONDENSED.match(words):
        return ""
    if "<" not in content:
        return content
    rest = _INJECTED.sub("", content)
    return content if rest == content else rest.strip()


def is_recall(tool: str) -> bool:
    """Whether the tool gives back what a memory holds."""
    return _OWN_TOOL.fullmatch(tool) is not None


_FORMATS = {
    "private_key": r"-----BEGIN[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"[\s\S]*?(?:-----END[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\Z)",
    "aws_key": r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b",
    "github_token": r"\b(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{40,255})",
    "gitlab_token": r"\bgl(?:pat|ptt|rt|dt|soat)-[A-Za-z0-9_-]{20,}",
    "slack_token": r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}|\bxapp-\d-[A-Za-z0-9-]{10,}",
    "slack_webhook": r"https://hooks\.slack\.com/(?:services|workflows)/[A-Za-z0-9/_-]{20,}",
    "anthropic_key": r"\bsk-ant-[A-Za-z0-9_-]{20,}",
    "openai_key": r"\bsk-(?:proj-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}",
    "stripe_key": r"\b(?:[rs]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}",
    "google_key": r"\bAIza[A-Za-z0-9_-]{35}|\bya29\.[A-Za-z0-9_-]{20,}|\bGOCSPX-[A-Za-z0-9_-]{20,}",
    "huggingface_token": r"\bhf_[A-Za-z0-9]{30,}",
    "npm_token": r"\bnpm_[A-Za-z0-9]{36}\b",
    "pypi_token": r"\bpypi-AgE[A-Za-z0-9_-]{30,}",
    "sendgrid_key": r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    "twilio_key": r"\bSK[0-9a-f]{32}\b",
    "digitalocean_token": r"\bdo[opr]_v1_[a-f0-9]{64}\b",
    "shopify_token": r"\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}\b",
    "telegram_token": r"\b\d{8,10}:AA[A-Za-z0-9_-]{33}\b",
    "memory_key": r"\bmm_[A-Za-z0-9_-]{20,}",
    "jwt": r"\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    "url_password": r"(?<=://)[^\s/:@]{0,100}:[^\s/@]{1,200}(?=@)",
    "bearer_token": r"(?i:(?<=bearer ))[A-Za-z0-9._~+/-]{16,}=*",
    # A name that promises a secret, and a value that looks like one: letters and digits mixed.
    "assigned_secret": r"(?i:(?:password|passwd|pwd|secret|token|api[_-]?key|access[_-]?key)"
    r"[\"']?\s{0,3}(?:[:=]|=>)\s{0,3}[\"']?)"
    r"(?P<assigned_value>(?=[^\s\"']{0,60}\d)(?=[^\s\"']{0,60}[A-Za-z])[^\s\"'(){}\[\]<>,;]{12,})",
}
_SECRET = re.compile("|".join(f"(?P<{name}>{pattern})" for name, pattern in _FORMATS.items()))


def redact(text: str) -> str:
    """The text with each secret replaced by its kind, such as `[redacted: github token]`."""
    return _SECRET.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    kind = next(name for name in _FORMATS if match[name] is not None)
    mark = f"[redacted: {kind.replace('_', ' ')}]"
    assigned = match["assigned_value"]
    return mark if assigned is None else match[0].removesuffix(assigned) + mark


def redact_values(document: Mapping[str, object]) -> dict[str, object]:
    """The JSON object with the secrets in all its texts replaced."""
    return {redact(str(key)): _redact_value(value) for key, value in document.items()}


def _redact_value(value: object) -> object:
    match value:
        case str():
            return redact(value)
        case Mapping():
            return redact_values(cast("Mapping[str, object]", value))
        case list() | tuple():
            return [_redact_value(item) for item in cast("Sequence[object]", value)]
        case _:
            return value


# How much of each neighbour a window shows: about the paragraph that is next to the message.
NEIGHBOUR_CHARS = 600


# A line without a mark of a heading that is well below a chunk's size is one chunk: most messages
# need not be scanned for blocks.
_ONE_CHUNK_TOKENS = 100
_STRUCTURE = re.compile(r"[\n\r#]")


def passages_of(role: Role, content: str, day: date) -> list[Passage]:
    """The passages of a message said on that day, analysed; most messages are one."""
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
        for position, chunk in enumerate(_chunks(role, content))
    ]


def _chunks(role: Role, content: str) -> list[Chunk]:
    if not _STRUCTURE.search(content) and estimate_tokens(content) <= _ONE_CHUNK_TOKENS:
        return [Chunk(content, heading="", start_line=1, end_line=1)] if content.strip() else []
    return chunk_text(content) if role == "tool" else chunk_markdown(content)


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
    spoken = [clean for message in messages if (clean := _clean(message)).content]
    distinct: dict[str, NewMessage] = {}
    for message in _in_order(spoken):
        distinct.setdefault(message.id, message)
    return PreparedBatch(
        messages=[_prepare_message(message, now, zone) for message in distinct.values()],
        repeated=len(spoken) - len(distinct),
        ignored=len(messages) - len(spoken),
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
