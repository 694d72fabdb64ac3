"""Waiting for mail: claim, and while there is none listen, holding no connection of the pool."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from uuid import UUID, uuid4

import anyio

from mcp_memory.background import attempt
from mcp_memory.db.session import Session
from mcp_memory.errors import DatabaseError
from mcp_memory.messaging import store
from mcp_memory.messaging.bells import Listen, MailSignal, listen, mail_channel
from mcp_memory.messaging.models import Claim, Mail, MailFilter

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
