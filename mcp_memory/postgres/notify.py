"""LISTEN: one connection for each database, read by one thread, heard by many subscribers."""

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from threading import Lock
from typing import TypeVar

import anyio
import anyio.to_thread
import psycopg
from anyio.from_thread import BlockingPortal, start_blocking_portal
from psycopg import sql

from mcp_memory.backoff import Backoff
from mcp_memory.errors import DatabaseUnavailable
from mcp_memory.postgres import provision
from mcp_memory.postgres.connection import Connection, connection_problem

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


Result = TypeVar("Result")


class ListenerThread:
    """An event loop in a thread of its own; it is started when it first has something to do.

    Its sockets are read whatever the process's other loop is busy with: neither a long ranking nor
    a large answer delays a wake-up, the ping that keeps a connection, or the note that one is lost.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def start(self, work: Callable[..., Awaitable[Result]], *arguments: object) -> Future[Result]:
        """Run `work` there; what it returns, or a way to cancel it."""
        if self._portal is None:
            portal = start_blocking_portal("asyncio", name="mcp-memory-listener")
            self._portal = self._stack.enter_context(portal)
        return self._portal.start_task_soon(work, *arguments)

    async def aclose(self) -> None:
        """End the thread; all that runs there must have been cancelled."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._stack.close)
        self._portal = None


_PING_SECONDS = 20.0
_ANSWER_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.2
_MAX_PAUSE_SECONDS = 15.0
# How long a subscriber is kept waiting for a server that does not answer.
_IN_FORCE_SECONDS = 5.0

logger = logging.getLogger(__name__)


class ListenConnection:
    """One LISTEN connection: made, read, asked whether it still is one, and made again.

    `problem` says in a few words why nothing is heard; empty while something is.
    """

    def __init__(self, name: str, url: str) -> None:
        self._name, self._url = name, url
        self._subscriptions: dict[Subscription, asyncio.Event] = {}
        self._by_channel: dict[str, set[Subscription]] = {}
        self._wakeup = asyncio.Event()
        self._scope = anyio.CancelScope()
        self._ended = asyncio.Event()
        self.problem = "it is not connected yet"

    async def run(self) -> None:
        """Listen until stopped; a lost connection is made again, later each time it fails."""
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
        try:
            with self._scope:
                while True:
                    if await self._listen_until_lost():
                        backoff.reset()
                    await self._rest(backoff.next_seconds())
        finally:
            self._lose("it is closed")
            self._ended.set()

    async def stop(self) -> None:
        """End `run`, and return when its connection is gone."""
        self._scope.cancel()
        await self._ended.wait()

    async def add(self, subscription: Subscription) -> None:
        """Let it hear its channel; return once it does, or the server does not answer."""
        in_force = self._subscriptions[subscription] = asyncio.Event()
        self._by_channel.setdefault(subscription.channel, set()).add(subscription)
        self._wakeup.set()
        with anyio.move_on_after(_IN_FORCE_SECONDS):
            await in_force.wait()

    async def remove(self, subscription: Subscription) -> None:
        """Let it hear nothing more."""
        if self._subscriptions.pop(subscription, None) is None:
            return
        others = self._by_channel[subscription.channel]
        others.remove(subscription)
        if not others:
            del self._by_channel[subscription.channel]
        self._wakeup.set()

    async def _listen_until_lost(self) -> bool:
        """Listen until the connection is lost; whether it was ever in force."""
        try:
            conn = await provision.connect(self._url)
            try:
                await self._listen(conn)
            finally:
                # psycopg's own way out would wait for a server that may be gone.
                conn.pgconn.finish()
        except (psycopg.Error, OSError) as exc:
            said = connection_problem(exc) if isinstance(exc, psycopg.Error) else ""
            problem = said or type(exc).__name__
        except Exception:  # the connection must come back whatever it was
            logger.exception("listening on %s failed", self._name)
            problem = "it failed; the log says how"
        else:
            problem = "the connection was lost"
        was_in_force = not self.problem
        if was_in_force:
            logger.warning("listening on %s broke off: %s", self._name, problem)
        self._lose(problem)
        return was_in_force

    def _lose(self, problem: str) -> None:
        self.problem = problem
        for subscription, in_force in self._subscriptions.items():
            if in_force.is_set():
                in_force.clear()
                subscription.put(None)

    async def _rest(self, seconds: float) -> None:
        """Wait, unless somebody new wants to listen.

        Many processes lose one server at one instant: they must not all come back at once.
        """
        self._wakeup.clear()
        with anyio.move_on_after(seconds * random.uniform(0.5, 1.5)):
            await self._wakeup.wait()

    async def _listen(self, conn: Connection) -> None:
        """Pass on what arrives; a silent connection is asked now and then whether it is alive."""
        conn.add_notify_handler(lambda note: self._pass_on(note.channel, note.payload))
        state = _SessionState()
        while True:
            await self._settle(conn, state)
            self._read(conn)
            if not await self._is_woken(conn):
                await _ask(conn, sql.SQL("SELECT 1"))

    async def _settle(self, conn: Connection, state: "_SessionState") -> None:
        """Bring what the connection listens to in line with what is wanted."""
        self._wakeup.clear()
        subscriptions = [*self._subscriptions]
        if statements := [*state.changes(subscriptions)]:
            await _ask(conn, sql.SQL(";").join(statements))
        if self.problem:
            logger.info("listening on %s", self._name)
            self.problem = ""
        for subscription in subscriptions:
            in_force = self._subscriptions.get(subscription)
            if in_force is not None and not in_force.is_set():
                subscription.put(RECONNECTED)
                in_force.set()

    def _read(self, conn: Connection) -> None:
        """Pass on what came by itself; what came with a statement's answer, the handler did."""
        conn.pgconn.consume_input()
        while note := conn.pgconn.notifies():
            self._pass_on(note.relname.decode(), note.extra.decode())

    def _pass_on(self, channel: str, payload: str) -> None:
        for subscription in self._by_channel.get(channel, ()):
            if self._subscriptions[subscription].is_set():
                subscription.put(payload)

    async def _is_woken(self, conn: Connection) -> bool:
        """Wait for input or for a change of what is wanted; False when nothing happened."""
        loop = asyncio.get_running_loop()
        loop.add_reader(conn.fileno(), self._wakeup.set)
        try:
            with anyio.move_on_after(_PING_SECONDS):
                await self._wakeup.wait()
            return self._wakeup.is_set()
        finally:
            loop.remove_reader(conn.fileno())


class _SessionState:
    """What one session of the server listens to, and whose presence it holds."""

    def __init__(self) -> None:
        self._channels = set[str]()
        self._presences = set[str]()

    def changes(self, subscriptions: Iterable[Subscription]) -> Iterator[sql.Composed]:
        """The statements that make it what is wanted now."""
        subscriptions = [*subscriptions]
        channels = {subscription.channel for subscription in subscriptions}
        presences = {
            subscription.presence for subscription in subscriptions if subscription.presence
        }
        for statement, names in (
            (_LISTEN, channels - self._channels),
            (_UNLISTEN, self._channels - channels),
        ):
            yield from (statement.format(sql.Identifier(name)) for name in sorted(names))
        for statement, names in (
            (_APPEAR, presences - self._presences),
            (_DISAPPEAR, self._presences - presences),
        ):
            yield from (statement.format(sql.Literal(name)) for name in sorted(names))
        self._channels, self._presences = channels, presences


_LISTEN = sql.SQL("LISTEN {}")
_UNLISTEN = sql.SQL("UNLISTEN {}")
_APPEAR = sql.SQL("SELECT pg_advisory_lock_shared(hashtextextended({}, 0))")
_DISAPPEAR = sql.SQL("SELECT pg_advisory_unlock_shared(hashtextextended({}, 0))")


async def _ask(conn: Connection, statement: sql.SQL | sql.Composed) -> None:
    """Have it executed; a server that does not answer has lost us, and the socket is closed.

    psycopg would first ask that server to cancel, and wait for that too.
    """
    task = asyncio.ensure_future(conn.execute(statement))
    try:
        done, _ = await asyncio.wait([task], timeout=_ANSWER_SECONDS)
        if not done:
            raise psycopg.errors.ConnectionTimeout("timeout")
        task.result()
    finally:
        if not task.done():
            conn.pgconn.finish()
            task.cancel()
            with suppress(psycopg.Error, asyncio.CancelledError):
                await task


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
