"""What the actions of the tool `memory_message` answer."""

from collections.abc import Sequence

from pydantic import AwareDatetime, ConfigDict, Field

from mcp_memory.messaging.models import DeliveryState, Mail, MailPage
from mcp_memory.messaging.wake.models import BellState
from mcp_memory.server.toolset import Answer


class SentAnswer(Answer):
    """A message that is on its way."""

    message_id: str
    thread_id: str
    recipients: list[str]


class MailAnswer(Answer):
    """A message as its recipient, or its sender, sees it."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    id: str
    sender: str = Field(serialization_alias="from")
    to: str
    subject: str
    content: str
    type: str
    channel: str
    priority: int
    thread_id: str
    reply_to: str | None
    sent_at: AwareDatetime
    expires_at: AwareDatetime | None
    state: str

    @classmethod
    def of_mail(cls, mail: Mail) -> "MailAnswer":
        """The message as it is told."""
        return cls(
            id=str(mail.id),
            sender=mail.sender,
            to=mail.to,
            subject=mail.subject,
            content=mail.content,
            type=mail.type,
            channel=mail.channel,
            priority=mail.priority,
            thread_id=str(mail.thread_id),
            reply_to=None if mail.reply_to is None else str(mail.reply_to),
            sent_at=mail.sent_at,
            expires_at=mail.expires_at,
            state=mail.state,
        )


class MailsAnswer(Answer):
    """Messages."""

    messages: list[MailAnswer]
    next_cursor: str | None = None

    @classmethod
    def of_page(cls, page: MailPage) -> "MailsAnswer":
        """The page as it is told."""
        return cls.of_mails(page.messages, page.next_cursor)

    @classmethod
    def of_mails(cls, mails: Sequence[Mail], next_cursor: str = "") -> "MailsAnswer":
        """The messages as they are told."""
        return cls(
            messages=[MailAnswer.of_mail(mail) for mail in mails], next_cursor=next_cursor or None
        )


class AcknowledgedAnswer(Answer):
    """What counts as read from now on."""

    acknowledged: list[str]


class BellAnswer(Answer):
    """How a recipient was woken: waiting, trying, rung, given_up or not_needed, by which kind."""

    state: str
    kind: str | None
    attempts: int
    problem: str | None
    changed_at: AwareDatetime


class RecipientAnswer(Answer):
    """What became of a message at one recipient; `bells` say how he was woken for it."""

    agent: str
    state: str
    note: str | None
    delivered_at: AwareDatetime | None
    acknowledged_at: AwareDatetime | None
    bells: list[BellAnswer]


class StatusAnswer(Answer):
    """What became of a message."""

    message_id: str
    recipients: list[RecipientAnswer]

    @classmethod
    def of_states(
        cls, message_id: str, states: Sequence[DeliveryState], bells: Sequence[BellState]
    ) -> "StatusAnswer":
        """The states as they are told."""
        recipients = [
            RecipientAnswer(
                agent=each.agent,
                state=each.state,
                note=each.note or None,
                delivered_at=each.delivered_at,
                acknowledged_at=each.acknowledged_at,
                bells=[_bell(bell) for bell in bells if bell.agent == each.agent],
            )
            for each in states
        ]
        return cls(message_id=message_id, recipients=recipients)


def _bell(bell: BellState) -> BellAnswer:
    return BellAnswer(
        state=bell.state,
        kind=bell.kind or None,
        attempts=bell.attempts,
        problem=bell.problem or None,
        changed_at=bell.changed_at,
    )


class SubscriptionAnswer(Answer):
    """Whether one hears the channel now; `changed` when the call made it so."""

    channel: str
    subscribed: bool
    changed: bool


class ChannelAnswer(Answer):
    """A channel that somebody hears."""

    channel: str
    subscribers: int
    subscribed: bool


class ChannelsAnswer(Answer):
    """Channels."""

    channels: list[ChannelAnswer]
    next_cursor: str | None


class AgentAnswer(Answer):
    """An agent that has called a tool."""

    agent: str
    last_seen: AwareDatetime
    listening: bool


class AgentsAnswer(Answer):
    """Agents."""

    agents: list[AgentAnswer]
    next_cursor: str | None
