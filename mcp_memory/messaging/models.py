"""What a message is, from what is asked for to what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from mcp_memory.errors import DatabaseError

State = Literal["queued", "delivered", "acknowledged", "expired"]
EVERYBODY = "*"
# How a mailbox is ordered, and where its next page begins: the last priority and message id.
Position: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A message to be sent.

    `to` are agents, or `*` alone for every known agent but the sender. Empty: the subscribers of
    `channel`; without one, whoever `reply_to` came from. `expires_in` None: never.
    """

    content: str
    to: Sequence[str] = ()
    subject: str = ""
    channel: str = ""
    type: str = "message"
    priority: int = 5
    reply_to: str = ""
    expires_in: timedelta | None = None
    idempotency_key: str = ""

    @property
    def is_to_everybody(self) -> bool:
        """Whether every known agent gets it."""
        return EVERYBODY in self.to

    @property
    def is_to_named(self) -> bool:
        """Whether it goes to agents that the sender named himself."""
        return bool(self.to) and not self.is_to_everybody

    @property
    def is_public(self) -> bool:
        """Whether it goes to everybody, or to a whole channel."""
        return self.is_to_everybody or (not self.to and bool(self.channel))


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that is on its way: it is there for each recipient, whether he is or not."""

    message_id: str
    thread_id: str
    recipients: list[str]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as one agent sees it: one of its recipients, or its sender.

    `state` is that of the agent's own delivery. A sender who is no recipient sees `sent`, or in
    the history what has become of the message, once that is the same everywhere.
    """

    id: int
    sender: str
    recipients: list[str]
    is_public: bool
    subject: str
    content: str
    type: str
    channel: str
    priority: int
    thread_id: int
    reply_to: int | None
    sent_at: datetime
    expires_at: datetime | None
    state: State | Literal["sent"]

    @property
    def to(self) -> str:
        """Whom it was addressed to: names, or `*` when it went to everybody or a whole channel."""
        return EVERYBODY if self.is_public else ", ".join(self.recipients)


@dataclass(frozen=True, slots=True)
class MailFilter:
    """Which messages of one's own inbox are meant; None filters nothing."""

    unread_only: bool = True
    channel: str | None = None
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which messages, sent or received, are meant; None filters nothing."""

    channel: str | None = None
    thread_id: int | None = None
    with_agent: str | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What a wait took; when nothing, in how many seconds to look again (None: nobody can say),
    and what kept it from looking now."""

    messages: list[Mail]
    next_look_seconds: float | None = None
    problem: DatabaseError | None = None


@dataclass(frozen=True, slots=True)
class PurgedMail:
    """How much mail, and how many old attempts to wake, were removed for good."""

    messages: int
    wake_attempts: int


@dataclass(frozen=True, slots=True)
class DeliveryState:
    """What became of a message at one of its recipients."""

    agent: str
    state: State
    note: str
    delivered_at: datetime | None
    acknowledged_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownAgent:
    """An agent that has called a tool; `listening` when a process of its hears mail arrive now."""

    agent: str
    first_seen: datetime
    last_seen: datetime
    listening: bool


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel that somebody hears, and whether the one who asks does."""

    channel: str
    subscribers: int
    subscribed: bool
