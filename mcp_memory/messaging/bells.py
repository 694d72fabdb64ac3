"""Hearing at once that mail has arrived, by NOTIFY.

A notification is a hint and the table is the truth: whoever hears one looks, and whoever hears none
for a while looks too.
"""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.notifications import RECONNECTED, Subscription

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
