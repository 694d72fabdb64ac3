"""What is sent, validated before anything is written: pure functions, no database."""

import re
from collections.abc import Sequence

from mcp_memory.config import LimitsConfig, is_agent_name
from mcp_memory.db.idempotency import check_key
from mcp_memory.errors import InvalidInput, MailNotFound
from mcp_memory.messaging.models import EVERYBODY, SendMessage
from mcp_memory.text.storable import is_storable

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
        checked_channel(request.channel)
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


def checked_channel(channel: str) -> str:
    """The channel itself; `InvalidInput` when it cannot be one."""
    if not channel.strip():
        raise InvalidInput("channel", "is empty")
    _check_short("channel", channel, CHANNEL_CHARS)
    return channel


def checked_note(note: str) -> str:
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
