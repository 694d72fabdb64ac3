"""Waiting for mail: claim, and while there is none listen, holding no connection of the pool."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

import anyio

from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.errors import DatabaseError, McpMemoryError
from mcp_memory.messaging import store
from mcp_memory.messaging.bells import Bell, Bells, mail_channel
from mcp_memory.messaging.models import Claimed, Mail, MailFilter

# A bell may be broken: whoever waits looks this often without one.
_LOOK_SECONDS = 15.0
_AWAY_SECONDS = 1.0
_GIVE_BACK_SECONDS = 5.0

Idle = Callable[[float], Awaitable[None]]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Wait:
    """What is waited for, how many messages at most, and for how long they are held."""

    wanted: MailFilter
    limit: int
    timeout_seconds: float
    lease: timedelta


async def wait_for_mail(
    database: Database, bells: Bells, agent: str, wait: Wait, idle: Idle
) -> list[Mail]:
    """Messages claimed for the agent, as soon as there is one; none at the timeout.

    `idle` is called with the seconds waited, at first and then every `_LOOK_SECONDS` at least. A
    caller who is cancelled, at whatever moment, leaves nothing claimed.
    """
    token = uuid4()
    try:
        return await _wait(database, bells, agent, wait, idle, token)
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(_GIVE_BACK_SECONDS, shield=True):
            await _give_back_if_possible(database, agent, token)
        raise


async def _wait(
    database: Database, bells: Bells, agent: str, wait: Wait, idle: Idle, token: UUID
) -> list[Mail]:
    begun = anyio.current_time()
    claimed = await _claim(database, agent, wait, token)
    if claimed.messages or wait.timeout_seconds <= 0:
        return claimed.messages
    async with bells.listening(database, agent) as bell:
        while (waited := anyio.current_time() - begun) < wait.timeout_seconds:
            await idle(waited)
            left = wait.timeout_seconds - waited
            await _pause(bell, left, claimed.next_look_seconds)
            claimed = await _claim_if_possible(database, agent, wait, token)
            if claimed.messages:
                break
    if claimed.problem is not None:
        raise claimed.problem
    return claimed.messages


async def _pause(bell: Bell, left: float, next_look: float | None) -> None:
    """Until the bell rings, something else may have come free, or it is time to look."""
    pauses = [left, _LOOK_SECONDS]
    if next_look is not None:
        pauses.append(next_look)
    await bell.rung(min(pauses))


async def _claim_if_possible(database: Database, agent: str, wait: Wait, token: UUID) -> Claimed:
    """What is there now; a database that restarts ends no wait, unless it stays away.

    Whatever a claim took whose end nobody heard of, the next one under the same token has again.
    """
    try:
        return await _claim(database, agent, wait, token)
    except DatabaseError as exc:
        return Claimed([], _AWAY_SECONDS, exc)


async def _claim(database: Database, agent: str, wait: Wait, token: UUID) -> Claimed:
    """What is there now."""

    async def claim(conn: Connection) -> Claimed:
        messages = await store.claim(conn, wait.wanted, wait.limit, wait.lease, token)
        if messages:
            return Claimed(messages)
        return Claimed([], await store.next_lease_seconds(conn))

    return await database.write(agent, claim, changes_search=False)


async def _give_back_if_possible(database: Database, agent: str, token: UUID) -> None:
    """Free what the wait claimed; where that fails, it is free when the lease runs out."""

    async def give_back(conn: Connection) -> None:
        for message in await store.give_back(conn, token):
            await store.ring(conn, [mail_channel(agent)], message)

    try:
        await database.write(agent, give_back, changes_search=False)
    except McpMemoryError as exc:
        logger.warning("what a cancelled wait claimed stays leased: %s", exc)
