"""Sending inside one transaction: who gets it, the message, its deliveries, the notifications."""

from collections.abc import Sequence
from dataclasses import asdict

from mcp_memory.db import idempotency
from mcp_memory.db.connection import Connection
from mcp_memory.errors import Conflict, MailNotFound, RecipientUnknown
from mcp_memory.messaging import store
from mcp_memory.messaging.bells import BROADCAST, mail_channel
from mcp_memory.messaging.directory import store as directory
from mcp_memory.messaging.models import Mail, SendMessage, Sent
from mcp_memory.messaging.validation import message_id


async def send(conn: Connection, sender: str, request: SendMessage) -> Sent:
    """The message as sent, or as it was sent before under the same idempotency key."""
    if not request.idempotency_key:
        return await _send(conn, sender, request)

    async def do() -> dict[str, object]:
        return asdict(await _send(conn, sender, request))

    fingerprint = idempotency.request_hash(asdict(request) | {"tool": "memory_message"})
    answer = await idempotency.once(conn, sender, request.idempotency_key, fingerprint, do)
    return Sent(**answer)  # pyright: ignore[reportArgumentType]  # it is what asdict made


async def _send(conn: Connection, sender: str, request: SendMessage) -> Sent:
    parent = await _parent(conn, request)
    recipients = await _recipients(conn, sender, request, parent)
    channels = [mail_channel(recipient) for recipient in recipients]
    if request.is_to_everybody:
        channels = [BROADCAST]
    sent = await store.send(conn, sender, request, recipients, channels, parent=parent)
    if sent is None:
        raise await _unknown(conn, recipients)
    number, thread = sent
    return Sent(str(number), str(thread), list(recipients))


async def _unknown(conn: Connection, recipients: Sequence[str]) -> RecipientUnknown:
    """Who of them nobody has seen, and who there is."""
    known = await directory.known_agents(conn)
    return RecipientUnknown([name for name in recipients if name not in known], known)


async def _parent(conn: Connection, request: SendMessage) -> Mail | None:
    """The message that is replied to, which the sender has sent or received himself."""
    if not request.reply_to:
        return None
    mails = await store.visible(conn, [message_id(request.reply_to)])
    if not mails:
        raise MailNotFound([request.reply_to])
    return mails[0]


async def _recipients(
    conn: Connection, sender: str, request: SendMessage, parent: Mail | None
) -> Sequence[str]:
    """Each once; a message that would reach nobody is refused."""
    if request.is_to_everybody:
        everybody = [name for name in await directory.known_agents(conn) if name != sender]
        if not everybody:
            raise Conflict("Nobody but you is known yet: nothing was sent.")
        return everybody
    if request.to:
        return list(dict.fromkeys(request.to))
    if request.channel:
        return await _audience(conn, sender, request.channel)
    assert parent is not None
    return parent.recipients if parent.sender == sender else [parent.sender]


async def _audience(conn: Connection, sender: str, channel: str) -> Sequence[str]:
    others = [name for name in await directory.subscribers(conn, channel) if name != sender]
    if not others:
        raise Conflict(
            f"Nobody else is subscribed to channel {channel[:80]!r}: nothing was sent."
            " Say to whom with to, or have them subscribe."
        )
    return others
