"""What the actions of the tool `memory_message` answer."""

from collections.abc import Sequence
from operator import not_
from typing import Annotated

from pydantic import AwareDatetime, ConfigDict, Field

from mcp_memory.interfaces.mcp.tools.tool import Answer
from mcp_memory.memory.mail.model import DeliveryState
from mcp_memory.memory.mail.wake.model import WakeState

# An empty text says nothing, and is left out.
OptionalText = Annotated[str | None, Field(exclude_if=not_)]


class SentAnswer(Answer):
    """A message that is on its way."""

    message_id: str
    thread_id: str
    recipients: list[str]


class MailAnswer(Answer):
    """A message as its recipient, or its sender, sees it."""

    model_config = ConfigDict(
        serialize_by_alias=True, validate_by_name=True, coerce_numbers_to_str=True
    )

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


class MailsAnswer(Answer):
    """A page of messages."""

    messages: list[MailAnswer] = Field(validation_alias="rows")
    next_cursor: OptionalText = None


class AcknowledgedAnswer(Answer):
    """What counts as read from now on."""

    acknowledged: list[str]


class WakeAnswer(Answer):
    """How a recipient was woken: waiting, trying, rung, given_up or not_needed, by which kind."""

    state: str
    kind: OptionalText
    attempts: int
    problem: OptionalText
    changed_at: AwareDatetime


class RecipientAnswer(Answer):
    """What became of a message at one recipient; `bells` say how he was woken for it."""

    agent: str
    state: str
    note: OptionalText
    delivered_at: AwareDatetime | None
    acknowledged_at: AwareDatetime | None
    bells: list[WakeAnswer] = Field(default_factory=list[WakeAnswer])


class StatusAnswer(Answer):
    """What became of a message."""

    message_id: str
    recipients: list[RecipientAnswer]

    @classmethod
    def of_states(
        cls, message_id: str, states: Sequence[DeliveryState], wake_states: Sequence[WakeState]
    ) -> "StatusAnswer":
        """The states of its deliveries, each with how the recipient was woken."""
        recipients: list[RecipientAnswer] = []
        for state in states:
            bells = [WakeAnswer.of(wake) for wake in wake_states if wake.agent == state.agent]
            recipients.append(RecipientAnswer.of(state).model_copy(update={"bells": bells}))
        return cls(message_id=message_id, recipients=recipients)


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

    channels: list[ChannelAnswer] = Field(validation_alias="rows")
    next_cursor: OptionalText


class AgentAnswer(Answer):
    """An agent that has called a tool."""

    agent: str
    last_seen: AwareDatetime
    listening: bool


class AgentsAnswer(Answer):
    """Agents."""

    agents: list[AgentAnswer] = Field(validation_alias="rows")
    next_cursor: OptionalText
