"""What the actions of the tool `transcript` answer."""

from typing import Literal

from pydantic import AwareDatetime, JsonValue

from mcp_memory.recall.transcripts import MessageHit
from mcp_memory.server.toolset import Answer
from mcp_memory.transcripts.models import AppendResult, Gap, Message
from mcp_memory.transcripts.summaries.models import Part, Summary


class FlushAnswer(Answer):
    """The context is fuller than `percent`: what to do before it is compacted."""

    percent: int
    prompt: str


class AppendedAnswer(Answer):
    """What an append did."""

    session_id: str
    appended: int
    duplicates: int
    ignored: int
    last_seq: int
    flush: FlushAnswer | None

    @classmethod
    def of_append(cls, appended: AppendResult) -> "AppendedAnswer":
        """The answer to this append."""
        return cls.of(appended)


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
        """The message as it is told; no metadata is not told."""
        answer = cls.of(message)
        return answer if answer.metadata else answer.model_copy(update={"metadata": None})


class MessagesAnswer(Answer):
    """Messages."""

    messages: list[MessageAnswer]
    next_cursor: str | None = None


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
        """The hit as it is told."""
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
            context=[MessageAnswer.of_message(each) for each in hit.context],
        )


class FoundMessages(Answer):
    """What a search among messages found, best first."""

    results: list[MessageHitAnswer]
    degraded: list[str] | None


class GapsAnswer(Answer):
    """Silences of the person, the one that ended last first."""

    gaps: list[dict[str, str | float | AwareDatetime]]

    @classmethod
    def of_gaps(cls, gaps: list[Gap]) -> "GapsAnswer":
        """The gaps as they are told: `from` can be no name in Python."""
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


class SessionAnswer(Answer):
    """A session in a list."""

    session_id: str
    messages: int
    first_at: AwareDatetime
    last_at: AwareDatetime
    source: str


class SessionsAnswer(Answer):
    """Sessions, the last active first."""

    sessions: list[SessionAnswer]
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
        """The summary as it is told."""
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
        """The part as it is told: of a message no depth, of a summary no role."""
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


class SpanAnswer(Answer):
    """Messages by number."""

    seq_from: int
    seq_to: int


class ResumedAnswer(Answer):
    """A session within a budget, oldest first."""

    session_id: str
    parts: list[PartAnswer]
    tokens: int
    omitted: list[SpanAnswer]
