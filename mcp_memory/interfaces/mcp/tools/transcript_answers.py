"""The messages that a call gives to append, checked one by one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, cast, get_args

from pydantic import AwareDatetime, JsonValue

from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.interfaces.mcp.tools.arguments import instant
from mcp_memory.interfaces.mcp.tools.tool import Answer
from mcp_memory.memory.conversations.models import (
    ConversationInfo,
    ConversationThread,
    Expansion,
    Flush,
    Gap,
    Message,
    NewMessage,
    Part,
    Role,
    Span,
    Summary,
)
from mcp_memory.paging import Page
from mcp_memory.search.messages import MessageHit, TranscriptAnswer

_TEXT: JsonValue = {"type": "string"}
MESSAGES_SCHEMA: dict[str, JsonValue] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "role": {"type": "string", "enum": list(get_args(Role))},
            "content": _TEXT,
            "id": _TEXT,
            "speaker": _TEXT,
            "created_at": _TEXT,
            "metadata": {"type": "object"},
        },
        "required": ["role", "content"],
        "additionalProperties": False,
    },
}
_FIELDS = ("role", "content", "id", "speaker", "created_at", "metadata")
_ROLES: tuple[Role, ...] = get_args(Role)


def new_messages(config: Config, messages: Sequence[JsonValue]) -> list[NewMessage]:
    """The messages; `InvalidInput` naming the first field that cannot be used."""
    return [
        _new_message(config, f"messages[{index}]", message)
        for index, message in enumerate(messages)
    ]


def _new_message(config: Config, parameter: str, message: JsonValue) -> NewMessage:
    if not isinstance(message, dict):
        raise InvalidInput(parameter, "use an object with role and content")
    for name in message:
        if name not in _FIELDS:
            hint = nearest(name, _FIELDS) or f" Known: {', '.join(_FIELDS)}."
            raise InvalidInput(parameter, f"{name[:60]!r} is not known.{hint}")
    return NewMessage(
        role=_role(parameter, message),
        content=_text(parameter, message, "content"),
        id=_text(parameter, message, "id"),
        speaker=_text(parameter, message, "speaker"),
        created_at=_instant(config, parameter, message),
        metadata=_metadata(parameter, message),
    )


def _role(parameter: str, message: Mapping[str, JsonValue]) -> Role:
    for role in _ROLES:
        if message.get("role") == role:
            return role
    raise InvalidInput(f"{parameter}.role", f"use one of {', '.join(_ROLES)}")


def _text(parameter: str, message: Mapping[str, JsonValue], name: str) -> str:
    match message.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case int() as number if name == "id":
            return str(number)
        case _:
            raise InvalidInput(f"{parameter}.{name}", "use text")


def _instant(config: Config, parameter: str, message: Mapping[str, JsonValue]) -> datetime | None:
    return instant(config, f"{parameter}.created_at", _text(parameter, message, "created_at"))


def _metadata(parameter: str, message: Mapping[str, JsonValue]) -> dict[str, object]:
    metadata = message.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise InvalidInput(f"{parameter}.metadata", "use an object")
    return cast("dict[str, object]", metadata)


class AppendedAnswer(Answer):
    """What an append did."""

    session_id: str
    appended: int
    duplicates: int
    ignored: int
    last_seq: int
    flush: Flush | None


class MessageAnswer(Answer):
    """A message."""

    id: str
    session_id: str
    seq: int
    role: str
    speaker: str
    content: str
    created_at: AwareDatetime
    source: str
    metadata: dict[str, JsonValue] | None

    @classmethod
    def of_message(cls, message: Message) -> "MessageAnswer":
        """The message; without metadata there is no field for it."""
        answer = cls.of(message)
        return answer if answer.metadata else answer.model_copy(update={"metadata": None})


class MessagesAnswer(Answer):
    """Messages."""

    messages: list[MessageAnswer]
    next_cursor: str | None

    @classmethod
    def of_page(cls, page: Page[Message]) -> "MessagesAnswer":
        """The page of messages."""
        return cls(
            messages=[MessageAnswer.of_message(message) for message in page],
            next_cursor=page.next_cursor or None,
        )


class MessageHitAnswer(Answer):
    """A message that matches, and what stands around it."""

    session_id: str
    message_ids: list[str]
    seq_from: int
    seq_to: int
    role: str
    speaker: str
    text: str
    occurred_at: AwareDatetime
    score: float
    routes: list[str]
    source: str
    context: list[MessageAnswer]

    @classmethod
    def of_hit(cls, hit: MessageHit) -> "MessageHitAnswer":
        """The hit, its message first."""
        message = hit.message
        return cls(
            session_id=message.session_id,
            message_ids=[message.id],
            seq_from=message.seq,
            seq_to=message.seq,
            role=message.role,
            speaker=message.speaker,
            text=message.content,
            occurred_at=message.created_at,
            score=hit.score,
            routes=hit.routes,
            source=message.source,
            context=[MessageAnswer.of_message(near) for near in hit.context],
        )


class FoundMessages(Answer):
    """What a search among messages found, best first."""

    results: list[MessageHitAnswer]
    degraded: list[str] | None

    @classmethod
    def of_answer(cls, answer: TranscriptAnswer) -> "FoundMessages":
        """The hits; nothing is said of what took no part when all did."""
        results = [MessageHitAnswer.of_hit(hit) for hit in answer.results]
        return cls(results=results, degraded=answer.degraded or None)


class GapsAnswer(Answer):
    """Silences of the person, the one that ended last first."""

    gaps: list[dict[str, str | float | AwareDatetime]]

    @classmethod
    def of_gaps(cls, gaps: list[Gap]) -> "GapsAnswer":
        """The gaps as objects, since `from` can be no name in Python."""
        return cls(
            gaps=[
                {
                    "session_id": gap.session_id,
                    "from": gap.start,
                    "to": gap.end,
                    "hours": gap.hours,
                    "last_message_id": gap.last_message_id,
                }
                for gap in gaps
            ]
        )


class StatsAnswer(Answer):
    """How much there is."""

    sessions: int
    messages: int
    chunks: int
    pending_embeddings: int
    summaries: int
    first_at: AwareDatetime | None
    last_at: AwareDatetime | None


class SessionsAnswer(Answer):
    """Sessions, the last active first."""

    sessions: list[ConversationInfo]
    next_cursor: str | None


class SummarizedAnswer(Answer):
    """A summary that is kept now."""

    summary_id: str
    depth: int


class SummaryAnswer(Answer):
    """A summary and what it covers; stale: something arrived that belongs into its span."""

    summary_id: str
    session_id: str
    depth: int
    seq_from: int
    seq_to: int
    summary: str
    stale: bool

    @classmethod
    def of_summary(cls, summary: Summary) -> "SummaryAnswer":
        """The summary under its public id."""
        return cls(
            summary_id=str(summary.id),
            session_id=summary.session_id,
            depth=summary.depth,
            seq_from=summary.seq_from,
            seq_to=summary.seq_to,
            summary=summary.summary,
            stale=summary.stale,
        )


class SummariesAnswer(Answer):
    """Summaries."""

    summaries: list[SummaryAnswer]
    next_cursor: str | None

    @classmethod
    def of_page(cls, page: Page[Summary]) -> "SummariesAnswer":
        """The page of summaries."""
        return cls(
            summaries=[SummaryAnswer.of_summary(summary) for summary in page],
            next_cursor=page.next_cursor or None,
        )


class PartAnswer(Answer):
    """A summary, or a message."""

    kind: Literal["summary", "message"]
    seq_from: int
    seq_to: int
    role: str | None
    text: str
    summary_id: str | None
    depth: int | None
    stale: bool | None

    @classmethod
    def of_part(cls, part: Part) -> "PartAnswer":
        """The part: a message has no depth, a summary no role."""
        return cls(
            kind=part.kind,
            seq_from=part.seq_from,
            seq_to=part.seq_to,
            role=part.role or None,
            text=part.text,
            summary_id=part.summary_id or None,
            depth=part.depth or None,
            stale=part.stale or None,
        )


class ExpandedAnswer(Answer):
    """What a summary covers, in order."""

    parts: list[PartAnswer]
    tokens: int
    truncated: bool

    @classmethod
    def of_expansion(cls, expansion: Expansion) -> "ExpandedAnswer":
        """The expansion of a summary."""
        return cls(
            parts=[PartAnswer.of_part(part) for part in expansion.parts],
            tokens=expansion.tokens,
            truncated=expansion.truncated,
        )


class ResumedAnswer(Answer):
    """A conversation within a budget, oldest first."""

    session_id: str
    parts: list[PartAnswer]
    tokens: int
    omitted: list[Span]

    @classmethod
    def of_thread(cls, thread: ConversationThread) -> "ResumedAnswer":
        """The thread of a conversation."""
        return cls(
            session_id=thread.session_id,
            parts=[PartAnswer.of_part(part) for part in thread.parts],
            tokens=thread.tokens,
            omitted=thread.omitted,
        )
