"""What summaries are, and the parts that expanding and resuming give back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Summarize:
    """A summary to keep: of the messages seq_from to seq_to, or of other summaries."""

    session_id: str
    summary: str
    seq_from: int | None = None
    seq_to: int | None = None
    summary_ids: Sequence[str] = ()


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
