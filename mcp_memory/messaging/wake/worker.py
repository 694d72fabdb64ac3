"""Who rings: every server process looks into the outbox of each database it has open.

Whichever is first holds the agent's doorbell by a lease, makes one attempt and writes down how it
ended. If it dies, the lease runs out and another process makes the next attempt, with the same key:
an endpoint that knows keys is rung once, any other at least once.
"""

import logging
import random
from functools import partial
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup

from mcp_memory.config import WakeConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.db.notifications import Subscription
from mcp_memory.errors import McpMemoryError
from mcp_memory.messaging.wake import store
from mcp_memory.messaging.wake.cue import Cue
from mcp_memory.messaging.wake.models import Attempt, OutboxPoll, Ring, Served
from mcp_memory.messaging.wake.pace import BROKEN_AFTER, pause_seconds
from mcp_memory.messaging.wake.registry import RouteRegistry
from mcp_memory.messaging.wake.route_client import RouteClient

_OPENED_SECONDS = 1.0
# Who stops listening, or gives a message back unread, tells nobody.
_LOOK_SECONDS = 15.0
_WITHOUT_ROUTES_SECONDS = 60.0
_ANNOUNCE_SECONDS = 600.0
_SPARE_LEASE_SECONDS = 5.0
_GIVE_BACK_SECONDS = 5.0
_RINGS_AT_ONCE = 16

logger = logging.getLogger(__name__)


class WakeWorker:
    """Rings, until it is cancelled, for every database that this process opens."""

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
                for database in self._databases.opened():
                    if self._served.get(database.name) is not database:
                        self._served[database.name] = database
                        tasks.start_soon(self._serve, database)
                await anyio.sleep(_OPENED_SECONDS)

    async def _serve(self, database: Database) -> None:
        default = self._databases.configured_default
        outbox = Outbox(database, self._registry, self._client, self._settings, default)
        async with anyio.create_task_group() as tasks:
            while database in self._databases.opened():
                await outbox.work(tasks)
            tasks.cancel_scope.cancel()

    async def _open_mail(self) -> None:
        """What came while no server ran is rung for without waiting for a first call."""
        while True:
            try:
                await self._databases.writing(self._databases.configured_default, "")
            except McpMemoryError as exc:
                logger.warning("mail waits unrung: %s", exc)
            except Exception:  # a server serves, whatever keeps it from ringing
                logger.exception("mail waits unrung")
            else:
                return
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
        self._named = "" if database.name == default_database else database.name
        self._slots = anyio.Semaphore(_RINGS_AT_ONCE)
        self._hint = anyio.Event()
        self._announced: list[tuple[str, int]] = []
        self._announced_at = 0.0
        self._subscription: Subscription | None = None

    async def work(self, tasks: TaskGroup) -> None:
        """One look at the outbox, and the wait for the next."""
        self._hint = anyio.Event()
        pause = await self._look_if_possible(tasks)
        with anyio.move_on_after(pause):
            await self._hint.wait()

    async def _look_if_possible(self, tasks: TaskGroup) -> float:
        try:
            return await self._look(tasks)
        except McpMemoryError as exc:
            logger.warning("bells of %s wait: %s", self._database.name, exc)
        except Exception:  # the worker must survive whatever one database does to it
            logger.exception("bells of %s wait", self._database.name)
        return _LOOK_SECONDS

    async def _look(self, tasks: TaskGroup) -> float:
        """Begin every ring that is due; the seconds until the next look."""
        served = await self._registry.served(self._database)
        if not served:
            return _WITHOUT_ROUTES_SECONDS
        await self._listen()
        await self._announce(served)
        by_agent = {each.agent: each for each in served}
        while True:
            await self._slots.acquire()
            try:
                found = await self._database.maintain(partial(self._next, served=served))
            except BaseException:
                self._slots.release()
                raise
            if found.ring is None:
                self._slots.release()
                due = found.next_due_seconds
                return _LOOK_SECONDS if due is None else min(due, _LOOK_SECONDS)
            tasks.start_soon(self._ring, found.ring, by_agent[found.ring.agent])

    async def _next(self, conn: Connection, served: list[Served]) -> OutboxPoll:
        agents, gather = [each.agent for each in served], self._settings.gather_seconds
        await store.settle(conn, agents)
        lease = uuid4()
        claimed = await store.claim(
            conn, served, lease=lease, spare_seconds=_SPARE_LEASE_SECONDS, gather_seconds=gather
        )
        if claimed is None:
            return OutboxPoll(None, await store.next_due_seconds(conn, served, gather))
        agent, failures = claimed
        kind = next(each.route.kind for each in served if each.agent == agent)
        return OutboxPoll(
            await store.begin(conn, agent, kind, failures=failures, lease=lease, fresh=uuid4())
        )

    async def _listen(self) -> None:
        """Hear of new bells from now on; processes without routes need no connection for that."""
        if self._subscription is None:
            self._subscription = await self._database.notifications.subscribe(
                store.CHANNEL, lambda _payload: self._hint.set()
            )

    async def _announce(self, served: list[Served]) -> None:
        """Have bells made for these agents' mail; said again now and then, for safety."""
        now = anyio.current_time()
        announced = [(each.agent, each.route.min_priority) for each in served]
        if announced != self._announced or now - self._announced_at > _ANNOUNCE_SECONDS:
            await self._database.maintain(partial(store.announce, served=served))
            self._announced, self._announced_at = announced, now

    async def _ring(self, ring: Ring, served: Served) -> None:
        try:
            attempt = await self._attempt(ring, served)
            await self._record(ring, attempt)
        except McpMemoryError as exc:
            # The lease runs out, and the ring is attempted again with the same key.
            logger.warning("how a ring for %s ended is not written down: %s", ring.agent, exc)
        except Exception:  # the other rings, and the server, go on
            logger.exception("how a ring for %s ended is not written down", ring.agent)
        except anyio.get_cancelled_exc_class():
            await self._give_back(ring)
            raise
        finally:
            self._slots.release()
            self._hint.set()

    async def _attempt(self, ring: Ring, served: Served) -> Attempt:
        cue = Cue(ring.agent, ring.messages, self._named, served.route.allow_text)
        targets = self._registry.targets(served)
        try:
            return await self._client.ring(
                served.route, targets, cue, key=str(ring.id), attempt=ring.attempt
            )
        except Exception as exc:  # one route's trouble must not end the others'
            logger.exception("ringing for %s", ring.agent)
            return Attempt(f"unexpected {type(exc).__name__}")

    async def _record(self, ring: Ring, attempt: Attempt) -> None:
        if attempt.is_rung:
            pause = self._settings.pause_seconds
            await self._database.maintain(partial(store.rung, ring=ring, pause_seconds=pause))
            logger.info("rang for %s: %d messages", ring.agent, len(ring.messages))
            return
        failures = ring.failures + 1
        pause = pause_seconds(
            attempt, failures, first=self._settings.retry_seconds, jitter=random.random()
        )
        failed = partial(
            store.failed,
            ring=ring,
            problem=attempt.problem,
            pause_seconds=pause,
            patience_seconds=self._settings.give_up_hours * 3600,
        )
        is_given_up = await self._database.maintain(failed)
        _log_failure(ring, attempt, failures, pause, is_given_up=is_given_up)

    async def _give_back(self, ring: Ring) -> None:
        with anyio.move_on_after(_GIVE_BACK_SECONDS, shield=True):
            try:
                await self._database.maintain(partial(store.give_back, ring=ring))
            except McpMemoryError as exc:
                logger.info("the ring for %s waits for its lease: %s", ring.agent, exc)


def _log_failure(
    ring: Ring, attempt: Attempt, failures: int, pause: float, *, is_given_up: bool
) -> None:
    """Each failure once; that a route is broken, and that a ring is given up, as warnings."""
    if is_given_up:
        logger.warning(
            "gave up ringing for %s (%d messages stay unread) after %d attempts: %s",
            *(ring.agent, len(ring.messages), ring.attempt, attempt.problem),
        )
    elif failures == BROKEN_AFTER:
        logger.warning("the wake route of %s is broken: %s", ring.agent, attempt.problem)
    else:
        logger.info("ringing for %s: %s; again in %.1f s", ring.agent, attempt.problem, pause)
