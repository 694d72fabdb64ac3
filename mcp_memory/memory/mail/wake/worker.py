"""Who wakes: every server process looks into the outbox of each database it has open.

Whichever is first holds the agent's wake lease, makes one attempt and writes down how it ended. If
it dies, the lease runs out and another process makes the next attempt, with the same key: an
endpoint that knows keys wakes its agent once, any other at least once.
"""

import logging
import random
from collections.abc import Sequence
from functools import partial
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from mcp_memory.background import attempt as attempt_safely
from mcp_memory.config import WakeConfig
from mcp_memory.memory.mail.wake import store
from mcp_memory.memory.mail.wake.client import RouteClient
from mcp_memory.memory.mail.wake.cue import Cue
from mcp_memory.memory.mail.wake.model import (
    BROKEN_AFTER,
    OutboxPoll,
    Outcome,
    ServedRoute,
    WakeAttempt,
    pause_seconds,
)
from mcp_memory.memory.mail.wake.registry import RouteRegistry
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.notify import Subscription
from mcp_memory.postgres.session import Database, Session

_OPENED_SECONDS = 1.0
# Who stops listening, or gives a message back unread, notifies nobody.
_LOOK_SECONDS = 15.0
# Routes that are added by command are found within a minute, as the command says.
_WITHOUT_ROUTES_SECONDS = 60.0
_ANNOUNCE_SECONDS = 600.0
# Beside an attempt's own time limit: to write down how it ended.
_SPARE_LEASE_SECONDS = 5.0
_GIVE_BACK_SECONDS = 5.0
_ATTEMPTS_AT_ONCE = 16

logger = logging.getLogger(__name__)


class WakeWorker:
    """Wakes agents, until it is cancelled, for every database that this process opens."""

    def __init__(
        self,
        databases: Databases,
        registry: RouteRegistry,
        client: RouteClient,
        settings: WakeConfig,
    ) -> None:
        self._databases, self._registry = databases, registry
        self._client, self._settings = client, settings
        self._served: dict[str, Database] = {}

    async def run(self, *, opens_mail: bool = False) -> None:
        """Work until cancelled, in what the process opens; routes of the settings open the mail's.

        `opens_mail` opens it in any case: routes may have been added to it by command.
        """
        async with anyio.create_task_group() as tasks:
            if opens_mail or self._registry.own:
                tasks.start_soon(self._open_mail)
            while True:
                for database in self._databases.list_open():
                    if self._served.get(database.name) is not database:
                        self._served[database.name] = database
                        tasks.start_soon(self._serve, database)
                await anyio.sleep(_OPENED_SECONDS)

    async def _serve(self, database: Database) -> None:
        default = self._databases.configured_default
        outbox = Outbox(database, self._registry, self._client, self._settings, default)
        async with anyio.create_task_group() as tasks:
            while database in self._databases.list_open():
                await outbox.work(tasks)
            tasks.cancel_scope.cancel()

    async def _open_mail(self) -> None:
        """What came while no server ran wakes its agent without waiting for a first call."""
        session = Session("", self._databases.configured_default, self._databases)
        work = partial(session.open, create=True)
        while not await attempt_safely("opening the mail", work):  # noqa: ASYNC110 - a server's state is polled
            await anyio.sleep(_LOOK_SECONDS)


class Outbox:
    """The outbox of one database, as one process works it off."""

    def __init__(
        self,
        database: Database,
        registry: RouteRegistry,
        client: RouteClient,
        settings: WakeConfig,
        default_database: str,
    ) -> None:
        self._database, self._registry, self._client = database, registry, client
        self._settings = settings
        # A cue names the database only where the agent would look elsewhere.
        self._cue_database = "" if database.name == default_database else database.name
        self._slots = anyio.Semaphore(_ATTEMPTS_AT_ONCE)
        self._hint = anyio.Event()
        self._pause_seconds = _LOOK_SECONDS
        self._announced: list[tuple[str, int]] = []
        self._announced_at = 0.0
        self._subscription: Subscription | None = None

    async def work(self, tasks: TaskGroup) -> None:
        """One look at the outbox, and the wait for the next."""
        self._hint, self._pause_seconds = anyio.Event(), _LOOK_SECONDS
        await attempt_safely(f"waking agents of {self._database.name}", partial(self._look, tasks))
        with anyio.move_on_after(self._pause_seconds):
            await self._hint.wait()

    async def _look(self, tasks: TaskGroup) -> None:
        """Begin every attempt that is due, and say how long until the next look."""
        routes = await self._registry.usable_routes(self._database)
        if not routes:
            self._pause_seconds = _WITHOUT_ROUTES_SECONDS
            return
        await self._listen()
        await self._announce(routes)
        by_agent = {route.agent: route for route in routes}
        while True:
            poll = await self._poll(routes)
            if poll.attempt is None:
                due = poll.next_due_seconds
                self._pause_seconds = _LOOK_SECONDS if due is None else min(due, _LOOK_SECONDS)
                return
            tasks.start_soon(self._wake, poll.attempt, by_agent[poll.attempt.agent])

    async def _poll(self, routes: Sequence[ServedRoute]) -> OutboxPoll:
        """An attempt to make, for which a slot is taken, or none."""
        await self._slots.acquire()
        try:
            async with self._database.maintaining() as conn:
                poll = await self._next(conn, routes)
        except BaseException:
            self._slots.release()
            raise
        if poll.attempt is None:
            self._slots.release()
        return poll

    async def _next(self, conn: Connection, routes: Sequence[ServedRoute]) -> OutboxPoll:
        gather = self._settings.gather_seconds
        await store.settle(conn, [route.agent for route in routes])
        lease = uuid4()
        claim = await store.claim(
            conn, routes, lease=lease, spare_seconds=_SPARE_LEASE_SECONDS, gather_seconds=gather
        )
        if claim is None:
            return OutboxPoll(None, await store.next_due_seconds(conn, routes, gather))
        agent, failures = claim
        kind = next(route.route.kind for route in routes if route.agent == agent)
        return OutboxPoll(
            await store.begin(conn, agent, kind, failures=failures, lease=lease, fresh=uuid4())
        )

    async def _listen(self) -> None:
        """Hear of new wake jobs from now on; processes without routes need no connection for it."""
        if self._subscription is None:
            self._subscription = await self._database.notifications.subscribe(
                store.CHANNEL, lambda _payload: self._hint.set()
            )

    async def _announce(self, routes: Sequence[ServedRoute]) -> None:
        """Have wake jobs made of these agents' mail; said again now and then, for safety."""
        now = anyio.current_time()
        announced = [(route.agent, route.route.min_priority) for route in routes]
        if announced != self._announced or now - self._announced_at > _ANNOUNCE_SECONDS:
            async with self._database.maintaining() as conn:
                await store.announce(conn, routes)
            self._announced, self._announced_at = announced, now

    async def _wake(self, attempt: WakeAttempt, route: ServedRoute) -> None:
        """One attempt. If its end cannot be written down, the lease runs out and it is repeated."""
        try:
            work = partial(self._wake_and_record, attempt, route)
            await attempt_safely(f"recording how waking {attempt.agent} ended", work)
        except anyio.get_cancelled_exc_class():
            await self._give_back(attempt)
            raise
        finally:
            self._slots.release()
            self._hint.set()

    async def _wake_and_record(self, attempt: WakeAttempt, route: ServedRoute) -> None:
        outcome = await self._try(attempt, route)
        if outcome.is_delivered:
            await self._record_success(attempt)
        else:
            await self._record_failure(attempt, outcome)

    async def _try(self, attempt: WakeAttempt, route: ServedRoute) -> Outcome:
        cue = Cue(attempt.agent, attempt.messages, self._cue_database, route.route.allow_text)
        targets = self._registry.targets(route)
        try:
            return await self._client.wake(
                route.route, targets, cue, key=str(attempt.id), attempt=attempt.number
            )
        except Exception as exc:  # one route's trouble must not end the others'
            logger.exception("waking %s", attempt.agent)
            return Outcome(f"unexpected {type(exc).__name__}")

    async def _record_success(self, attempt: WakeAttempt) -> None:
        async with self._database.maintaining() as conn:
            await store.record_success(conn, attempt, self._settings.pause_seconds)
        logger.info("woke %s: %d messages", attempt.agent, len(attempt.messages))

    async def _record_failure(self, attempt: WakeAttempt, outcome: Outcome) -> None:
        failures = attempt.failures + 1
        pause = pause_seconds(
            outcome, failures, first=self._settings.retry_seconds, jitter=random.random()
        )
        async with self._database.maintaining() as conn:
            is_given_up = await store.record_failure(
                conn,
                attempt,
                outcome.problem,
                pause_seconds=pause,
                patience_seconds=self._settings.give_up_hours * 3600,
            )
        _log_failure(attempt, outcome, failures, pause, is_given_up=is_given_up)

    async def _give_back(self, attempt: WakeAttempt) -> None:
        """Where that fails, the attempt is made again when its lease runs out."""
        with anyio.move_on_after(_GIVE_BACK_SECONDS, shield=True):
            name = f"giving back the attempt to wake {attempt.agent}"
            await attempt_safely(name, partial(self._release, attempt))

    async def _release(self, attempt: WakeAttempt) -> None:
        async with self._database.maintaining() as conn:
            await store.give_back(conn, attempt)


def _log_failure(
    attempt: WakeAttempt, outcome: Outcome, failures: int, pause: float, *, is_given_up: bool
) -> None:
    """Each failure once; that a route is broken, and that an agent is given up, as warnings."""
    if is_given_up:
        logger.warning(
            "gave up waking %s (%d messages stay unread) after %d attempts: %s",
            *(attempt.agent, len(attempt.messages), attempt.number, outcome.problem),
        )
    elif failures == BROKEN_AFTER:
        logger.warning("the wake route of %s is broken: %s", attempt.agent, outcome.problem)
    else:
        logger.info("waking %s: %s; again in %.1f s", attempt.agent, outcome.problem, pause)
