"""What conversations and messages are, what is asked of them, and what comes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Role = Literal["user", "assistant", "system", "tool"]
ROLES: tuple[Role, ...] = ("user", "assistant", "system", "tool")


@dataclass(frozen=True, slots=True)
class NewMessage:
    """Something that was said. Without an id it gets one; without an instant it is said now."""

    role: Role
    content: str
    id: str = ""
    speaker: str = ""
    created_at: datetime | None = None
    metadata: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class AppendMessages:
    """Messages for the end of a conversation; how full the agent's context is, if it says so."""

    session_id: str
    messages: Sequence[NewMessage]
    source: str = ""
    context_used: int | None = None
    context_window: int | None = None


@dataclass(frozen=True, slots=True)
class Flush:
    """The agent's context is fuller than `percent`: what to do before it is compacted."""

    percent: int
    prompt: str


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What an append did. `ignored` counts heartbeats and what this memory itself had said."""

    session_id: str
    appended: int
    duplicates: int
    ignored: int
    last_seq: int
    flush: Flush | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation as its table has it; `id` is the table's, `session_id` the agent's."""

    id: int
    session_id: str
    source: str
    last_seq: int
    flushed: int
    summarized_until: datetime | None


@dataclass(frozen=True, slots=True)
class ConversationInfo:
    """A conversation in a list."""

    session_id: str
    messages: int
    first_at: datetime
    last_at: datetime
    source: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it is read; `id` is the one given to append, or made there."""

    id: str
    session_id: str
    seq: int
    role: Role
    speaker: str
    content: str
    created_at: datetime
    source: str
    metadata: dict[str, object]


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """What messages are narrowed to. None narrows nothing; `until` is exclusive."""

    session_id: str | None = None
    role: Role | None = None
    speaker: str | None = None
    sources: Sequence[str] | None = None
    exclude_sources: Sequence[str] | None = None
    human_only: bool = False
    since: datetime | None = None
    until: datetime | None = None

    @property
    def roles(self) -> list[Role] | None:
        """The roles that pass: people speak as users."""
        if self.human_only:
            return ["user"] if self.role in (None, "user") else []
        return None if self.role is None else [self.role]


@dataclass(frozen=True, slots=True)
class Gap:
    """A silence of the person, between two of their messages in one session."""

    session_id: str
    start: datetime
    end: datetime
    hours: float
    last_message_id: str


@dataclass(frozen=True, slots=True)
class Stats:
    """How much there is of the caller's own."""

    sessions: int
    messages: int
    chunks: int
    pending_embeddings: int
    summaries: int
    first_at: datetime | None
    last_at: datetime | None


@dataclass(frozen=True, slots=True)
class Removal:
    """What retention removed from one source."""

    source: str
    messages: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A message that was just added: its ids, its number and its instant."""

    id: int
    seq: int
    external_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A message among its neighbours: its two ends, and its whole text where it is short."""

    message: int
    seq: int
    created_at: datetime
    name: str
    head: str
    tail: str
    text: str | None


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a message that is found by itself."""

    position: int
    heading: str
    start_line: int
    end_line: int
    text: str
    tokens: int
    lexemes: str


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A passage to index: its message's number, its window, and the hash of what is embedded."""

    message: int
    passage: Passage
    context: str | None
    text_hash: bytes


@dataclass(frozen=True, slots=True)
class ContextChange:
    """A new window for the one passage of a short message, and the hash of what is embedded."""

    message: int
    context: str
    text_hash: bytes


@dataclass(frozen=True, slots=True)
class Extension:
    """Messages added to a conversation, and what stands around them in its order.

    `conversation` is as it was before, and locked; None when there is none.
    """

    conversation: Conversation | None
    added: list[StoredMessage]
    neighbours: list[Neighbour]


@dataclass(frozen=True, slots=True)
class Summarize:
    """A summary to keep: of the messages seq_from to seq_to, or of other summaries."""

    session_id: str
    summary: str
    seq_from: int | None = None
    seq_to: int | None = None
    summary_ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SummaryText:
    """What a summary says, as it is kept, and what it is found by."""

    text: str
    tokens: int
    lexemes: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A summary as its table knows it; `parent` is the one that covers it, if any."""

    id: int
    session: int
    session_id: str
    parent: int | None
    depth: int
    seq_from: int
    seq_to: int
    summary: str
    tokens: int
    stale: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a conversation in few words or in its own: a summary, or a message."""

    kind: Literal["summary", "message"]
    seq_from: int
    seq_to: int
    text: str
    tokens: int
    role: str = ""
    summary_id: str = ""
    depth: int = 0
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Expansion:
    """What a summary covers, in order, as far as the budget reached."""

    parts: list[Part]
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Span:
    """Messages by number, inclusive."""

    seq_from: int
    seq_to: int


@dataclass(frozen=True, slots=True)
class ConversationThread:
    """A conversation within a budget, oldest first; `omitted` names what no part covers."""

    session_id: str
    parts: list[Part]
    tokens: int
    omitted: list[Span]
