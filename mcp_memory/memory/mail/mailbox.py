"""The rules of mail; each public method is one transaction, `wait` a few.

Mail lives in the database of the session. What other modules build on:

- Sending notifies inside its transaction: on `wait.mail_channel(agent)` for each recipient, or on
  `wait.BROADCAST` alone when it goes to `*`. The payload is the message's id in decimal. A
  message that comes back (its lease ran out) notifies nobody: it is there at the next look. One
  that a cancelled wait gave back is notified again.
- `arrivals` reads what such ids are, for the agent who was notified; ids of others' mail answer
  nothing; `takeable` reads those that nobody holds. `unread_ids` is for catching up. Ids are given
  out before transactions commit, so a smaller id may become visible after a greater one: remember
  ids seen, never only the greatest.
- Who listens holds the advisory lock `mcp_memory.listening_key(agent)`, shared, on the connection
  that has the LISTEN: `agents` shows it. When the connection ends, so does the lock.
- `deliveries.state` and `leased_until` say whether a message still needs somebody to be woken.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from mcp_memory.background import every
from mcp_memory.config import LimitsConfig, MessagesConfig
from mcp_memory.errors import Conflict, InvalidInput, MailNotFound, RecipientUnknown
from mcp_memory.memory import audit, idempotency
from mcp_memory.memory.audit import Event
from mcp_memory.memory.mail import directory, model, store
from mcp_memory.memory.mail.model import (
    DeliveryState,
    HistoryFilter,
    Mail,
    MailFilter,
    Position,
    PurgedMail,
    SendMessage,
    SendReceipt,
    message_id,
)
from mcp_memory.memory.mail.wait import BROADCAST, Idle, Wait, mail_channel, wait_for_mail
from mcp_memory.paging import Page, from_cursor
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Database, Session


async def send(conn: Connection, sender: str, request: SendMessage) -> SendReceipt:
    """The message as sent, or as it was sent before under the same idempotency key."""
    if not request.idempotency_key:
        return await _send(conn, sender, request)

    async def do() -> dict[str, object]:
        return asdict(await _send(conn, sender, request))

    fingerprint = idempotency.request_hash(asdict(request) | {"tool": "memory_message"})
    answer = await idempotency.once(conn, sender, request.idempotency_key, fingerprint, do)
    return SendReceipt(**answer)  # pyright: ignore[reportArgumentType]  # it is what asdict made


async def _send(conn: Connection, sender: str, request: SendMessage) -> SendReceipt:
    parent = await _parent(conn, request)
    recipients = await _recipients(conn, sender, request, parent)
    channels = [mail_channel(recipient) for recipient in recipients]
    if request.is_to_everybody:
        channels = [BROADCAST]
    sent = await store.send(conn, sender, request, recipients, channels, parent=parent)
    if sent is None:
        raise await _unknown(conn, recipients)
    number, thread = sent
    return SendReceipt(str(number), str(thread), list(recipients))


async def _unknown(conn: Connection, recipients: Sequence[str]) -> RecipientUnknown:
    """Who of them nobody has seen, and who there is."""
    known = await directory.list_agents(conn)
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
        everybody = [name for name in await directory.list_agents(conn) if name != sender]
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


# What is over at each of its recipients: read, or expired. Its deliveries and wake jobs go with it,
# and an answer to it no longer says to what.
_REMOVE_MESSAGES = """
WITH over AS (
    SELECT m.id
    FROM messages m
    WHERE m.id > %(after)s
      AND m.sent_at <= now() - %(age)s
      AND (%(owner)s::text IS NULL OR m.agent_id = %(owner)s)
      AND NOT EXISTS (
          SELECT
          FROM deliveries d
          WHERE d.message_id = m.id
            AND coalesce(
                CASE WHEN d.state = 'acknowledged' THEN d.acknowledged_at
                     WHEN d.expires_at <= now() THEN d.expires_at END,
                'infinity'
            ) > now() - %(age)s
      )
    ORDER BY m.id
    LIMIT %(limit)s
), removed AS (
    DELETE FROM messages m
    USING over
    WHERE m.id = over.id
    RETURNING m.id
)
SELECT count(*), max(id)
FROM removed
"""


async def remove_messages(
    conn: Connection, age: timedelta, owner: str | None, *, after: int, limit: int
) -> tuple[int, int | None]:
    """Remove the first messages after that one that were over longer ago than `age`.

    How many, and the last one's id. `owner` is who sent them; None is anybody.
    """
    parameters = {"age": age, "owner": owner, "after": after, "limit": limit}
    row = await (await conn.execute(_REMOVE_MESSAGES, parameters)).fetchone()
    assert row is not None
    return int(row[0]), row[1]


# The wake job of unread mail stays: without it the agent would be woken for the same message again.
_REMOVE_BELLS = """
DELETE FROM wake_jobs b
USING deliveries d
WHERE d.agent_id = b.agent_id AND d.message_id = b.message_id
  AND b.state <> 'due' AND b.queued_at <= now() - %(age)s
  AND (%(owner)s::text IS NULL OR b.agent_id = %(owner)s)
  AND (d.acknowledged_at <= now() - %(age)s OR d.expires_at <= now() - %(age)s)
"""

_REMOVE_RINGS = """
DELETE FROM wake_attempts r
WHERE r.state <> 'trying' AND r.ended_at <= now() - %(age)s
  AND (%(owner)s::text IS NULL OR r.agent_id = %(owner)s)
  AND NOT EXISTS (SELECT FROM wake_jobs b WHERE b.attempt_id = r.id)
"""


async def remove_wake_attempts(conn: Connection, age: timedelta, owner: str | None) -> int:
    """Remove what is kept of attempts to wake that ended longer ago; how many attempts.

    `owner` is who was woken; None is anybody.
    """
    parameters = {"age": age, "owner": owner}
    await conn.execute(_REMOVE_BELLS, parameters)
    return (await conn.execute(_REMOVE_RINGS, parameters)).rowcount


_INBOX, _HISTORY = "inbox", "history"
_NEWEST = 2**63 - 1
_EXPIRE_SECONDS = 60.0
# So many messages go in one transaction, which is over soon.
_PURGED_AT_ONCE = 5_000


async def _nothing(_waited_seconds: float) -> None:
    return None


class Messages:
    """The mail of every named database; each agent sees what it sent and what it was sent."""

    def __init__(
        self, databases: Databases, limits: LimitsConfig, settings: MessagesConfig
    ) -> None:
        self._databases, self._limits, self._settings = databases, limits, settings

    async def send(self, session: Session, request: SendMessage) -> SendReceipt:
        """Send a message; it and every delivery are there when this returns, or nothing is."""
        model.check(request, self._limits)
        async with session.writing(changes_search=False) as conn:
            return await send(conn, session.agent, request)

    async def inbox(
        self, session: Session, filter: MailFilter, *, limit: int = 20, cursor: str = ""
    ) -> Page[Mail]:
        """Look at one's mail, highest priority first, oldest first within one. Changes nothing."""
        after = _inbox_position(cursor) if cursor else None
        async with session.reading() as conn:
            rows = await store.inbox(conn, filter, limit + 1, after)
        return Page[Mail].of(rows, limit, _INBOX, lambda mail: [mail.priority, mail.id])

    async def wait(
        self,
        session: Session,
        filter: MailFilter,
        *,
        timeout_seconds: float = 30.0,
        limit: int = 20,
        idle: Idle = _nothing,
    ) -> list[Mail]:
        """Claim mail as soon as there is some; nothing at the timeout.

        What is claimed is handed out to nobody else for `messages.lease_seconds`; unless it is
        acknowledged by then, it comes again. No pooled connection is held while waiting.
        """
        lease = timedelta(seconds=self._settings.lease_seconds)
        return await wait_for_mail(session, Wait(filter, limit, timeout_seconds, lease), idle)

    async def acknowledge(
        self, session: Session, message_ids: Sequence[str], *, note: str = ""
    ) -> list[str]:
        """Mark messages as read for good; repeating it changes nothing. The ids, in order.

        `MailNotFound` when one of them was not sent to this agent; then none is marked.
        """
        ids, note = model.message_ids(message_ids), model.check_note(note)
        async with session.writing(create=False, changes_search=False) as conn:
            received = await store.select_received(conn, ids)
            if missing := [number for number in ids if number not in received]:
                raise MailNotFound([str(number) for number in missing])
            for number in await store.acknowledge(conn, ids, note):
                event = Event(session.agent, "acknowledge", "message", str(number))
                await audit.record(conn, event)
        return [str(number) for number in ids]

    async def status(self, session: Session, message_id: str) -> list[DeliveryState]:
        """What became of one's own message at each recipient; `MailNotFound` for anybody else."""
        number = model.message_id(message_id)
        async with session.reading() as conn:
            states = await store.states(conn, number)
        if not states:
            raise MailNotFound([message_id], hint=" Only its sender may ask for its status.")
        return states

    async def history(
        self, session: Session, filter: HistoryFilter, *, limit: int = 20, cursor: str = ""
    ) -> Page[Mail]:
        """What one sent and received, newest first."""
        before = _history_position(cursor) if cursor else _NEWEST
        async with session.reading() as conn:
            rows = await store.history(conn, filter, limit + 1, before)
        return Page[Mail].of(rows, limit, _HISTORY, lambda mail: [mail.id])

    async def unread(self, session: Session) -> int:
        """How many messages the agent has not acknowledged."""
        async with session.reading() as conn:
            return await store.unread(conn)

    async def arrivals(self, session: Session, ids: Sequence[int]) -> list[Mail]:
        """Those of the messages that the agent was sent, whatever their state, oldest first."""
        async with session.reading() as conn:
            mails = await store.visible(conn, ids)
        return [mail for mail in mails if mail.state != "sent"]

    async def takeable(self, session: Session, ids: Sequence[int]) -> list[Mail]:
        """Those of the messages that a `wait` of the agent would hand out now, oldest first."""
        async with session.reading() as conn:
            return await store.takeable(conn, ids)

    async def unread_ids(
        self, session: Session, *, after: int = 0, limit: int = 10_000, free_only: bool = False
    ) -> list[int]:
        """The oldest messages after that one that the agent has not acknowledged, by id.

        All of them, or only those that nobody holds now.
        """
        async with session.reading() as conn:
            return await store.unread_ids(conn, limit, after, free_only=free_only)

    async def purge(
        self, session: Session, *, owner: str | None = None, dry_run: bool = False
    ) -> PurgedMail:
        """Remove for good, of everybody or of one owner, what `messages.retention_days` lets go.

        A message goes when it is read or expired at every recipient for so long, or stays whole. A
        dry run does it and takes it back.
        """
        messages = 0
        if self._settings.retention_days is not None:
            age = timedelta(days=self._settings.retention_days)
            messages = await _purge_messages(session, age, owner, dry_run=dry_run)
        age = timedelta(days=self._limits.recovery_days)
        async with session.maintaining() as conn, conn.transaction(force_rollback=dry_run):
            attempts = await remove_wake_attempts(conn, age, owner)
        return PurgedMail(messages, attempts)

    async def run_worker(self) -> None:
        """Mark, until cancelled, what expired in the open databases. Readers need not wait for it:
        to them it is expired from its instant on."""
        await every(_EXPIRE_SECONDS, "expired mail", _expire, self._databases.list_open)


async def _expire(database: Database) -> None:
    async with database.maintaining() as conn:
        await store.expire(conn)


async def _purge_messages(
    session: Session, age: timedelta, owner: str | None, *, dry_run: bool
) -> int:
    """How many went, in pieces: each is over soon, however much there is."""
    after: int | None = 0
    total = 0
    while after is not None:
        async with session.maintaining() as conn, conn.transaction(force_rollback=dry_run):
            count, after = await remove_messages(
                conn, age, owner, after=after, limit=_PURGED_AT_ONCE
            )
        total += count
    return total


def _inbox_position(cursor: str) -> Position:
    match from_cursor(_INBOX, cursor):
        case [int() as priority, int() as number] if 0 <= priority <= 10 and 0 <= number < 2**63:
            return priority, number
        case _:
            raise InvalidInput("cursor", "is not one of the action inbox")


def _history_position(cursor: str) -> int:
    match from_cursor(_HISTORY, cursor):
        case [int() as number] if 0 <= number < 2**63:
            return number
        case _:
            raise InvalidInput("cursor", "is not one of the action history")
