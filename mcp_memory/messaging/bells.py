"""Hearing at once that mail has arrived: a bell for each agent, rung by NOTIFY.

A bell is a hint and the table is the truth: whoever hears one looks, and whoever hears none for a
while looks too. `Bells` is what the rest of messaging asks for; how it is rung may change.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from typing import Protocol

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.notifications import RECONNECTED, Subscription

# Rung for mail to everybody, beside the recipients' own channels. The payload of both is the
# message's id, a decimal number.
BROADCAST = "mcp_memory_msg"
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


class Bell(Protocol):
    """One agent's bell, while somebody listens."""

    async def rung(self, timeout_seconds: float) -> bool:
        """Wait for a ring, or the timeout; False then. A ring since the last call counts."""
        ...


class Bells(Protocol):
    """Where bells are heard."""

    def listening(self, database: Database, agent: str) -> AbstractAsyncContextManager[Bell]:
        """Hear that agent's mail arrive in this database until the block ends.

        The bell rings when listening comes into force, and again whenever it does after a loss:
        what was sent before is in the table.
        """
        ...


class _Bell:
    def __init__(self) -> None:
        self._event = anyio.Event()

    def ring(self, _payload: str) -> None:
        self._event.set()

    async def rung(self, timeout_seconds: float) -> bool:
        with anyio.move_on_after(timeout_seconds):
            await self._event.wait()
        is_rung = self._event.is_set()
        if is_rung:
            self._event = anyio.Event()
        return is_rung


class NotifiedBells:
    """Bells on the one connection that listens to each database."""

    @asynccontextmanager
    async def listening(self, database: Database, agent: str) -> AsyncGenerator[Bell]:
        """Hear that agent's mail arrive in this database until the block ends."""
        bell = _Bell()
        async with hearing(database, agent, bell.ring):
            yield bell


@asynccontextmanager
async def hearing(
    database: Database,
    agent: str,
    listener: Callable[[str], None],
    *,
    is_awake: bool = True,
) -> AsyncGenerator[Subscription]:
    """Call `listener` with the id of each message that may be the agent's, until the block ends.

    It is called with `RECONNECTED` when listening comes into force, and whenever it does again.
    Meanwhile the directory shows that the agent listens, if whoever is told acts on it: nobody
    need wake it then.
    """

    def hear_broadcast(payload: str) -> None:
        # Both channels come into force together, and that is told once.
        if payload != RECONNECTED:
            listener(payload)

    notifications = database.notifications
    with closing(await notifications.subscribe(BROADCAST, hear_broadcast)):
        presence = f"listening/{agent}" if is_awake else ""
        own = await notifications.subscribe(mail_channel(agent), listener, presence=presence)
        with closing(own):
            yield own
