"""LISTEN on one database: a single connection and reader, dispatch by channel, back after a loss.

The table is the truth and a notification only a hint: after every (re)connection each subscriber is
told to look for itself.
"""

import logging
import random
from collections.abc import Callable
from contextlib import suppress

import anyio
import psycopg
from psycopg import sql

from mcp_memory.db import provision
from mcp_memory.db.cancellation import Connection
from mcp_memory.db.database import Database

# A payload that no sender uses: "you may have missed something".
RECONNECTED = ""
_PING_SECONDS = 20.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 30.0

Listener = Callable[[str], None]

logger = logging.getLogger(__name__)


class Notifications:
    """What is notified in one database, while `run` runs.

    Subscribers are called with each payload of their channel, and with `RECONNECTED` whenever the
    connection is (again) in force. They must not wait.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._listeners: dict[str, list[Listener]] = {}
        self.is_listening = False

    def subscribe(self, channel: str, listener: Listener) -> None:
        """Call `listener` for this channel; to be said before `run` begins."""
        self._listeners.setdefault(channel, []).append(listener)

    async def run(self) -> None:
        """Listen until cancelled; a lost connection is made again, later each time it fails."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                async with await provision.connect(self._database.address.direct_url) as conn:
                    await self._listen(conn)
                    pause = _FIRST_PAUSE_SECONDS
                    await self._dispatch(conn)
            except (psycopg.Error, OSError) as exc:
                logger.info(
                    "listening on %s broke off: %s", self._database.name, type(exc).__name__
                )
            finally:
                self.is_listening = False
            # Many processes lose one server at one instant: they must not all come back at once.
            await anyio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _listen(self, conn: Connection) -> None:
        for channel in self._listeners:
            await conn.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        self.is_listening = True
        for channel in self._listeners:
            self._tell(channel, RECONNECTED)

    async def _dispatch(self, conn: Connection) -> None:
        """Pass on what arrives; a silent line is asked now and then whether it is still one."""
        while True:
            async for notification in conn.notifies(timeout=_PING_SECONDS):
                self._tell(notification.channel, notification.payload)
            await conn.execute("SELECT 1")

    def _tell(self, channel: str, payload: str) -> None:
        for listener in self._listeners.get(channel, ()):
            with suppress(anyio.WouldBlock):
                listener(payload)
