"""What a message is, from what is asked for to what became of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

from mcp_memory.config import LimitsConfig, is_agent_name
from mcp_memory.errors import DatabaseError, InvalidInput, MailNotFound
from mcp_memory.memory.idempotency import check_key
from mcp_memory.text.terms import is_storable

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
class SendReceipt:
    """A message that is on its way: it is there for each recipient, whether he is or not."""

    message_id: str
    thread_id: str
    recipients: list[str]


@dataclass(frozen=True, slots=True)
class Mail:
    """A message as one agent sees it: one of its recipients, or its sender.

    `to` is whom it was addressed to: names, or `*` for everybody or a whole channel.
    `state` is that of the agent's own delivery. A sender who is no recipient sees `sent`, or in
    the history what has become of the message, once that is the same everywhere.
    """

    id: int
    sender: str
    recipients: list[str]
    to: str
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


SUBJECT_CHARS = 1000
CHANNEL_CHARS = 500
_TYPE_CHARS = 100
_NOTE_CHARS = 4000
_MAX_RECIPIENTS = 1000
_MAX_LIFE_SECONDS = 36_500 * 86_400
_ID = re.compile(r"[1-9][0-9]{0,18}")


def check(request: SendMessage, limits: LimitsConfig) -> None:
    """`InvalidInput` when the message cannot be sent as it is."""
    check_key(request.idempotency_key)
    _check_recipients(request)
    if not request.content.strip():
        raise InvalidInput("content", "is empty; nothing was sent")
    _check_text("content", request.content)
    size = len(request.content.encode())
    if size > limits.content_bytes:
        raise InvalidInput(
            "content",
            f"a message of {size} bytes is over the limit of {limits.content_bytes};"
            " write a document and send its path",
        )
    _check_short("subject", request.subject, SUBJECT_CHARS)
    _check_short("type", request.type, _TYPE_CHARS)
    if request.channel:
        check_channel(request.channel)
    if not request.type.strip():
        raise InvalidInput("type", "is empty; leave it out for 'message'")
    if not 0 <= request.priority <= 10:
        raise InvalidInput("priority", "use 0 (any time) to 10 (urgent)")
    _check_life(request)


def _check_recipients(request: SendMessage) -> None:
    if len(request.to) > _MAX_RECIPIENTS:
        raise InvalidInput("to", f"at most {_MAX_RECIPIENTS} agents, or '*' for everybody")
    if EVERYBODY in request.to and len(request.to) > 1:
        raise InvalidInput("to", "'*' is everybody already; give it alone")
    for name in request.to:
        if name != EVERYBODY and not is_agent_name(name):
            raise InvalidInput("to", f"{name[:80]!r} is not an agent's name")
    if not request.to and not request.channel and not request.reply_to:
        raise InvalidInput("to", "name an agent, a list of them or '*', or a channel")


def _check_life(request: SendMessage) -> None:
    if request.expires_in is None:
        return
    seconds = request.expires_in.total_seconds()
    if not 0 < seconds <= _MAX_LIFE_SECONDS:
        raise InvalidInput("expires_in", "use a time from now such as 30m, 24h or 7d")


def check_channel(channel: str) -> str:
    """The channel itself; `InvalidInput` when it cannot be one."""
    if not channel.strip():
        raise InvalidInput("channel", "is empty")
    _check_short("channel", channel, CHANNEL_CHARS)
    return channel


def check_note(note: str) -> str:
    """The note itself; `InvalidInput` when it is too long."""
    _check_short("note", note, _NOTE_CHARS)
    return note


def message_id(text: str) -> int:
    """The number that an id is; `MailNotFound` for what no message was ever called."""
    return message_ids([text])[0]


def message_ids(texts: Sequence[str]) -> list[int]:
    """The numbers that these ids are, each once; `MailNotFound` naming what cannot be one."""
    if strange := [text for text in texts if not _is_id(text)]:
        raise MailNotFound(strange)
    return list(dict.fromkeys(int(text) for text in texts))


def _is_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None and int(text) < 2**63


def _check_short(parameter: str, text: str, longest: int) -> None:
    _check_text(parameter, text)
    if len(text) > longest:
        raise InvalidInput(parameter, f"has {len(text)} characters; at most {longest}")


def _check_text(parameter: str, text: str) -> None:
    if not is_storable(text):
        raise InvalidInput(parameter, "holds NUL or half of a surrogate pair")
