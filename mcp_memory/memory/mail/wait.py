"""Waiting for mail: claim, and while there is none listen, holding no connection of the pool."""

import hashlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import anyio

from mcp_memory.background import attempt
from mcp_memory.errors import DatabaseError
from mcp_memory.memory.mail import store
from mcp_memory.memory.mail.model import Claim, Mail, MailFilter
from mcp_memory.postgres.notify import RECONNECTED, Subscription
from mcp_memory.postgres.session import Database, Session

# Notified for mail to everybody, beside the recipients' own channels. The payload of both is the
# message's id, a decimal number.
BROADCAST = "mcp_memory_msg"
# PostgreSQL cuts longer names.
_MAX_NAME_BYTES = 63


def mail_channel(agent: str) -> str:
    """The NOTIFY channel of an agent's mail, at most 63 bytes.

    A longer name would be cut there and meet others that begin alike; `#`, which no agent's name
    holds, keeps the digest apart from every name.
    """
    plain = f"{BROADCAST}_{agent}"
    if len(plain.encode()) <= _MAX_NAME_BYTES:
        return plain
    return f"{BROADCAST}#{hashlib.sha256(agent.encode()).hexdigest()[:40]}"


class MailSignal:
    """Whether one agent's mail was notified, while somebody listens."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def set(self, _payload: str) -> None:
        """There may be mail."""
        self._event.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait until it is set, or the timeout; False then. What was set since the last call
        counts."""
        with anyio.move_on_after(timeout_seconds):
            await self._event.wait()
        is_set = self._event.is_set()
        if is_set:
            self._event = anyio.Event()
        return is_set


Listen = Callable[[Database, str], AbstractAsyncContextManager[MailSignal]]


@asynccontextmanager
async def listen(database: Database, agent: str) -> AsyncGenerator[MailSignal]:
    """Hear that agent's mail arrive in this database until the block ends.

    The signal is set when listening comes into force, and again whenever it does after a loss:
    what was sent before is in the table.
    """
    signal = MailSignal()
    async with hear_mail(database, agent, signal.set):
        yield signal


@asynccontextmanager
async def hear_mail(
    database: Database,
    agent: str,
    listener: Callable[[str], None],
    *,
    is_awake: bool = True,
) -> AsyncGenerator[Subscription]:
    """Call `listener` with the id of each message that may be the agent's, until the block ends.

    It is called with `RECONNECTED` when listening comes into force, and whenever it does again.
    Meanwhile the directory shows that the agent listens, if the listener acts on what it hears:
    nobody need wake it then.
    """

    def hear_broadcast(payload: str) -> None:
        # Both channels come into force together, and that is reported once.
        if payload != RECONNECTED:
            listener(payload)

    notifications = database.notifications
    with closing(await notifications.subscribe(BROADCAST, hear_broadcast)):
        presence = f"listening/{agent}" if is_awake else ""
        own = await notifications.subscribe(mail_channel(agent), listener, presence=presence)
        with closing(own):
            yield own


# A notification may be lost: whoever waits looks this often without one.
_LOOK_SECONDS = 15.0
_AWAY_SECONDS = 1.0
_GIVE_BACK_SECONDS = 5.0

Idle = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for, how many messages at most, and for how long they are held."""

    filter: MailFilter
    limit: int
    timeout_seconds: float
    lease: timedelta


async def wait_for_mail(
    session: Session, wait: Wait, idle: Idle, *, listen: Listen = listen
) -> list[Mail]:
    """Messages claimed for the agent, as soon as there is one; none at the timeout.

    `idle` is called with the seconds waited, at first and then every `_LOOK_SECONDS` at least. A
    caller who is cancelled, at whatever moment, leaves nothing claimed.
    """
    token = uuid4()
    try:
        return await _wait(session, wait, idle, token, listen)
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(_GIVE_BACK_SECONDS, shield=True):
            # Where that fails, it is free when the lease runs out.
            await attempt("giving back what a wait claimed", partial(_give_back, session, token))
        raise


async def _wait(
    session: Session, wait: Wait, idle: Idle, token: UUID, listen: Listen
) -> list[Mail]:
    begun = anyio.current_time()
    claim = await _claim(session, wait, token)
    if claim.messages or wait.timeout_seconds <= 0:
        return claim.messages
    async with listen(await session.open(), session.agent) as signal:
        while (waited := anyio.current_time() - begun) < wait.timeout_seconds:
            await idle(waited)
            left = wait.timeout_seconds - waited
            await _pause(signal, left, claim.next_look_seconds)
            claim = await _claim_if_possible(session, wait, token)
            if claim.messages:
                break
    if claim.problem is not None:
        raise claim.problem
    return claim.messages


async def _pause(signal: MailSignal, left: float, next_look: float | None) -> None:
    """Until mail is notified, something else may have come free, or it is time to look."""
    pauses = [left, _LOOK_SECONDS]
    if next_look is not None:
        pauses.append(next_look)
    await signal.wait(min(pauses))


async def _claim_if_possible(session: Session, wait: Wait, token: UUID) -> Claim:
    """What is there now; a database that restarts ends no wait, unless it stays away.

    Whatever a claim took whose end nobody heard of, the next one under the same token has again.
    """
    try:
        return await _claim(session, wait, token)
    except DatabaseError as exc:
        return Claim([], _AWAY_SECONDS, exc)


async def _claim(session: Session, wait: Wait, token: UUID) -> Claim:
    """What is there now."""
    async with session.writing(create=False, changes_search=False) as conn:
        messages = await store.claim(conn, wait.filter, wait.limit, wait.lease, token)
        if messages:
            return Claim(messages)
        return Claim([], await store.next_lease_seconds(conn))


async def _give_back(session: Session, token: UUID) -> None:
    async with session.writing(create=False, changes_search=False) as conn:
        for message in await store.give_back(conn, token):
            await store.notify(conn, [mail_channel(session.agent)], message)
