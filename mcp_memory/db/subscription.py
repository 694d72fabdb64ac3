"""What one subscriber hears, carried from the listener's thread to the subscriber's loop."""

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from threading import Lock

# A payload that no sender uses: "you may have missed something".
RECONNECTED = ""
_MAX_WAITING = 1024

Listener = Callable[[str], None]


class Subscription:
    """One listener on one channel, until it is closed.

    The listener is called on the loop that subscribed, in order, and must not wait. A loop that is
    too busy to take what waits for it is told `RECONNECTED` instead: it has to look for itself.
    """

    def __init__(
        self,
        channel: str,
        presence: str,
        listener: Listener,
        leave: Callable[["Subscription"], None],
    ) -> None:
        self.channel, self.presence = channel, presence
        # As the subscriber knows it: false before what was missed has been told.
        self.is_listening = False
        self._listener, self._leave = listener, leave
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[str | None] = deque()
        self._lock = Lock()
        self._is_closed = False

    def close(self) -> None:
        """Hear nothing more, from now on."""
        if not self._is_closed:
            self._is_closed, self.is_listening = True, False
            self._leave(self)

    def put(self, payload: str | None) -> None:
        """From the listener's thread: a payload, or None when the connection is lost."""
        with self._lock:
            if len(self._waiting) >= _MAX_WAITING:
                self._waiting.clear()
                self._waiting.append(RECONNECTED)
            self._waiting.append(payload)
            is_on_its_way = len(self._waiting) > 1
        if not is_on_its_way:
            # A loop that has ended hears nothing any more.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            payloads = [*self._waiting]
            self._waiting.clear()
        for payload in payloads:
            if self._is_closed:
                return
            self.is_listening = payload is not None
            if payload is not None:
                self._listener(payload)
