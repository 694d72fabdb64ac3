"""The LISTEN connection to one database; it lives in the listener's thread alone."""

import asyncio
import logging
import random
from collections.abc import Iterable, Iterator
from contextlib import suppress

import anyio
import psycopg
from psycopg import sql

from mcp_memory.backoff import Backoff
from mcp_memory.db import provision
from mcp_memory.db.connection import Connection
from mcp_memory.db.subscription import RECONNECTED, Subscription
from mcp_memory.db.translate import connection_problem

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
                    if await self._listened():
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

    async def _listened(self) -> bool:
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
        wanted = [*self._subscriptions]
        if statements := [*state.changes(wanted)]:
            await _ask(conn, sql.SQL(";").join(statements))
        if self.problem:
            logger.info("listening on %s", self._name)
            self.problem = ""
        for subscription in wanted:
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

    def changes(self, wanted: Iterable[Subscription]) -> Iterator[sql.Composed]:
        """The statements that make it what is wanted now."""
        wanted = [*wanted]
        channels = {subscription.channel for subscription in wanted}
        presences = {subscription.presence for subscription in wanted if subscription.presence}
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
