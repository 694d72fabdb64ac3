"""LISTEN on one database: a single connection and reader, dispatch by channel, back after a loss.

The table is the truth and a notification only a hint: after every (re)connection each subscriber is
told to look for itself. The connection is read in a thread of its own (`ListenerThread`), so that a
busy loop never delays a wake-up; subscribers are called on the loop they subscribed from.
"""

import asyncio

import anyio

from mcp_memory.db.listen_connection import ListenConnection
from mcp_memory.db.listener import ListenerThread
from mcp_memory.db.subscription import RECONNECTED, Listener, Subscription
from mcp_memory.errors import DatabaseUnavailable

__all__ = ["RECONNECTED", "Notifications", "Subscription"]


class Notifications:
    """What is notified in one database; it connects for the first subscriber."""

    def __init__(self, name: str, url: str, thread: ListenerThread) -> None:
        self._name, self._url, self._thread = name, url, thread
        self._connection: ListenConnection | None = None
        self._is_closed = False

    @property
    def problem(self) -> str:
        """Why nothing is heard, in a few words; empty while something is, or nobody asked."""
        return "" if self._connection is None else self._connection.problem

    @property
    def is_wanted(self) -> bool:
        """Whether anybody has subscribed."""
        return self._connection is not None

    async def subscribe(
        self, channel: str, listener: Listener, *, presence: str = ""
    ) -> Subscription:
        """Call `listener` with each payload of the channel, and first with `RECONNECTED`.

        It is in force when this returns, or the server does not answer: then `is_listening` is
        false, and becomes true when it is back. While there is a `presence`, the connection holds
        the shared advisory lock `hashtextextended(presence, 0)`: others can see who listens.
        `DatabaseUnavailable` once it is closed.
        """
        connection = self._running()
        subscription = Subscription(channel, presence, listener, self._leave)
        try:
            await asyncio.wrap_future(self._thread.start(connection.add, subscription))
        except BaseException:
            subscription.close()
            raise
        return subscription

    async def aclose(self) -> None:
        """Stop listening, for good."""
        self._is_closed = True
        connection, self._connection = self._connection, None
        if connection is not None:
            with anyio.CancelScope(shield=True):
                await asyncio.wrap_future(self._thread.start(connection.stop))

    def _running(self) -> ListenConnection:
        if self._is_closed:
            raise DatabaseUnavailable(self._name, "it is being closed")
        if self._connection is None:
            self._connection = ListenConnection(self._name, self._url)
            self._thread.start(self._connection.run)
        return self._connection

    def _leave(self, subscription: Subscription) -> None:
        if self._connection is not None:
            self._thread.start(self._connection.remove, subscription)
