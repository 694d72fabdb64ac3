"""The rules of mail; each public method is one transaction, `wait` a few.

Mail lives in the configured default database unless `database` says otherwise. What other rooms
build on:

- Sending notifies inside its transaction: on `bells.mail_channel(agent)` for each recipient, or on
  `bells.BROADCAST` alone when it goes to `*`. The payload is the message's id in decimal. A
  message that comes back (its lease ran out) notifies nobody: it is there at the next look. One
  that a cancelled wait gave back is notified again.
- `arrivals` reads what such ids are, for the agent who was notified; ids of others' mail answer
  nothing; `takeable` reads those that nobody holds. `unread_ids` is for catching up. Ids are given
  out before transactions commit, so a smaller id may become visible after a greater one: remember
  ids seen, never only the greatest.
- Who listens holds the advisory lock `mcp_memory.listening_key(agent)`, shared, on the connection
  that has the LISTEN: `agents` shows it. When the connection ends, so does the lock.
- `deliveries.state` and `leased_until` say whether a message still needs a ring.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import anyio

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import LimitsConfig, MessagesConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput, MailNotFound, McpMemoryError
from mcp_memory.messaging import store, validation
from mcp_memory.messaging.bells import Bells
from mcp_memory.messaging.directory.presence import Presence
from mcp_memory.messaging.models import (
    DeliveryState,
    HistoryFilter,
    Mail,
    MailFilter,
    MailPage,
    Place,
    PurgedMail,
    SendMessage,
    Sent,
)
from mcp_memory.messaging.retention import store as retention
from mcp_memory.messaging.sending import send
from mcp_memory.messaging.waiting import Idle, Wait, wait_for_mail
from mcp_memory.paging import from_cursor, to_cursor

_INBOX, _HISTORY = "inbox", "history"
_NEWEST = 2**63 - 1
_EXPIRE_SECONDS = 60.0
_PURGED_AT_ONCE = 5_000

logger = logging.getLogger(__name__)


async def _nothing(_waited_seconds: float) -> None:
    return None


class Messages:
    """The mail of every named database; each agent sees what it sent and what it was sent."""

    def __init__(
        self,
        databases: Databases,
        presence: Presence,
        bells: Bells,
        limits: LimitsConfig,
        settings: MessagesConfig,
    ) -> None:
        self._databases, self._presence, self._bells = databases, presence, bells
        self._limits, self._settings = limits, settings

    async def send(self, agent: str, request: SendMessage, *, database: str | None = None) -> Sent:
        """Send a message; it and every delivery are there when this returns, or nothing is."""
        validation.check(request, self._limits)
        chosen = await self._writing(database, agent)
        return await chosen.write(
            agent, lambda conn: send(conn, agent, request), changes_search=False
        )

    async def inbox(
        self,
        agent: str,
        wanted: MailFilter,
        *,
        limit: int = 20,
        cursor: str = "",
        database: str | None = None,
    ) -> MailPage:
        """Look at one's mail, highest priority first, oldest first within one. Changes nothing."""
        after = _place(cursor) if cursor else None
        chosen = await self._reading(database, agent)
        found = await chosen.read(agent, lambda conn: store.inbox(conn, wanted, limit + 1, after))
        page, more = found[:limit], len(found) > limit
        place = to_cursor(_INBOX, page[-1].priority, page[-1].id) if more else ""
        return MailPage(page, place)

    async def wait(
        self,
        agent: str,
        wanted: MailFilter,
        *,
        timeout_seconds: float = 30.0,
        limit: int = 20,
        idle: Idle = _nothing,
        database: str | None = None,
    ) -> list[Mail]:
        """Claim mail as soon as there is some; nothing at the timeout.

        What is claimed is handed out to nobody else for `messages.lease_seconds`; unless it is
        acknowledged by then, it comes again. No pooled connection is held while waiting.
        """
        lease = timedelta(seconds=self._settings.lease_seconds)
        chosen = await self._visited(database, agent)
        wait = Wait(wanted, limit, timeout_seconds, lease)
        return await wait_for_mail(chosen, self._bells, agent, wait, idle)

    async def acknowledge(
        self,
        agent: str,
        message_ids: Sequence[str],
        *,
        note: str = "",
        database: str | None = None,
    ) -> list[str]:
        """Mark messages as read for good; repeating it changes nothing. The ids, in order.

        `MailNotFound` when one of them was not sent to this agent; then none is marked.
        """
        ids, note = validation.message_ids(message_ids), validation.checked_note(note)
        chosen = await self._visited(database, agent)

        async def acknowledge(conn: Connection) -> None:
            mine = await store.received(conn, ids)
            if missing := [each for each in ids if each not in mine]:
                raise MailNotFound([str(each) for each in missing])
            for number in await store.acknowledge(conn, ids, note):
                await audit.record(conn, Event(agent, "acknowledge", "message", str(number)))

        if ids:
            await chosen.write(agent, acknowledge, changes_search=False)
        return [str(each) for each in ids]

    async def status(
        self, agent: str, message_id: str, *, database: str | None = None
    ) -> list[DeliveryState]:
        """What became of one's own message at each recipient; `MailNotFound` for anybody else."""
        number = validation.message_id(message_id)
        chosen = await self._reading(database, agent)
        found = await chosen.read(agent, lambda conn: store.states(conn, number))
        if not found:
            raise MailNotFound([message_id], hint=" Only its sender may ask for its status.")
        return found

    async def history(
        self,
        agent: str,
        wanted: HistoryFilter,
        *,
        limit: int = 20,
        cursor: str = "",
        database: str | None = None,
    ) -> MailPage:
        """What one sent and received, newest first."""
        before = _newest(cursor) if cursor else _NEWEST
        chosen = await self._reading(database, agent)
        found = await chosen.read(
            agent, lambda conn: store.history(conn, wanted, limit + 1, before)
        )
        page, more = found[:limit], len(found) > limit
        return MailPage(page, to_cursor(_HISTORY, page[-1].id) if more else "")

    async def unread(self, agent: str, *, database: str | None = None) -> int:
        """How many messages the agent has not acknowledged."""
        chosen = await self._reading(database, agent)
        return await chosen.read(agent, store.unread)

    async def arrivals(
        self, agent: str, ids: Sequence[int], *, database: str | None = None
    ) -> list[Mail]:
        """Those of the messages that the agent was sent, whatever their state, oldest first."""
        chosen = await self._reading(database, agent)
        found = await chosen.read(agent, lambda conn: store.visible(conn, ids))
        return [mail for mail in found if mail.state != "sent"]

    async def takeable(
        self, agent: str, ids: Sequence[int], *, database: str | None = None
    ) -> list[Mail]:
        """Those of the messages that a `wait` of the agent would hand out now, oldest first."""
        chosen = await self._reading(database, agent)
        return await chosen.read(agent, lambda conn: store.takeable(conn, ids))

    async def unread_ids(
        self,
        agent: str,
        *,
        after: int = 0,
        limit: int = 10_000,
        free_only: bool = False,
        database: str | None = None,
    ) -> list[int]:
        """The oldest messages after that one that the agent has not acknowledged, by id.

        All of them, or only those that nobody holds now.
        """
        chosen = await self._reading(database, agent)
        unread = partial(store.unread_ids, limit=limit, after=after, free_only=free_only)
        return await chosen.read(agent, unread)

    async def purge(
        self,
        agent: str,
        *,
        owner: str | None = None,
        dry_run: bool = False,
        database: str | None = None,
    ) -> PurgedMail:
        """Remove for good, of everybody or of one owner, what `messages.retention_days` lets go.

        A message goes when it is read or expired at every recipient for so long, or stays whole. A
        dry run does it and takes it back.
        """
        chosen = await self._reading(database, agent)
        messages = 0
        if self._settings.retention_days is not None:
            kept = timedelta(days=self._settings.retention_days)
            messages = await _purge_messages(chosen, kept, owner, dry_run=dry_run)

        async def purge(conn: Connection) -> int:
            async with conn.transaction(force_rollback=dry_run):
                age = timedelta(days=self._limits.recovery_days)
                return await retention.remove_rings(conn, age, owner)

        return PurgedMail(messages, await chosen.maintain(purge))

    async def run_worker(self) -> None:
        """Mark, until cancelled, what expired in the open databases. Readers need not wait for it:
        to them it is expired from its instant on."""
        while True:
            await anyio.sleep(_EXPIRE_SECONDS)
            for database in self._databases.opened():
                await self._expire_if_possible(database)

    async def _expire_if_possible(self, database: Database) -> None:
        try:
            await database.maintain(store.expire)
        except McpMemoryError as exc:
            logger.warning("expired mail of %s waits: %s", database.name, exc)
        except Exception:  # the worker must survive whatever one database does to it
            logger.exception("expired mail of %s waits", database.name)

    async def _reading(self, database: str | None, agent: str) -> Database:
        return await self._databases.reading(database or self._databases.configured_default, agent)

    async def _visited(self, database: str | None, agent: str) -> Database:
        """The database whose mail somebody takes, who is known there; none is made for that."""
        chosen = await self._reading(database, agent)
        await self._presence.note(agent, chosen.name)
        return chosen

    async def _writing(self, database: str | None, agent: str) -> Database:
        """The database that mail is sent in; whoever acts in it is known there."""
        chosen = await self._databases.writing(
            database or self._databases.configured_default, agent
        )
        await self._presence.note(agent, chosen.name)
        return chosen


async def _purge_messages(
    database: Database, kept: timedelta, owner: str | None, *, dry_run: bool
) -> int:
    """In pieces: each is over soon, however much there is."""
    after: int | None = 0
    total = 0
    while after is not None:

        async def purge_batch(conn: Connection, after: int = after) -> tuple[int, int | None]:
            async with conn.transaction(force_rollback=dry_run):
                return await retention.remove_messages(
                    conn, kept, owner, after=after, limit=_PURGED_AT_ONCE
                )

        count, after = await database.maintain(purge_batch)
        total += count
    return total


def _place(cursor: str) -> Place:
    match from_cursor(_INBOX, cursor):
        case [int() as priority, int() as number] if 0 <= priority <= 10 and 0 <= number < 2**63:
            return priority, number
        case _:
            raise InvalidInput("cursor", "is not one of the action inbox")


def _newest(cursor: str) -> int:
    match from_cursor(_HISTORY, cursor):
        case [int() as number] if 0 <= number < 2**63:
            return number
        case _:
            raise InvalidInput("cursor", "is not one of the action history")
