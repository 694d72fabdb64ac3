"""Which routes this process can use: those of its configuration, then those added by command."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from mcp_memory.config import Config, WakeRoute, is_quiet
from mcp_memory.errors import McpMemoryError
from mcp_memory.memory.mail.wake import store
from mcp_memory.memory.mail.wake.model import ListedRoute, OutboxStatus, ServedRoute, StoredRoute
from mcp_memory.memory.mail.wake.targets import Targets
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Database

CONFIGURED, ADDED, ELSEWHERE = "configuration", "added", "other servers"

logger = logging.getLogger(__name__)


class RouteRegistry:
    """The routes of one configuration, beside those of each database.

    A route of the configuration goes before one that was added for the same agent.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._complaints: set[str] = set()

    @property
    def own(self) -> Sequence[str]:
        """The agents whose routes the configuration has."""
        return [*self._config.wake_routes]

    def list_configured(self) -> Sequence[ListedRoute]:
        """The routes of the configuration alone, without a look at any database."""
        return [self._describe(agent, None, None) for agent in sorted(self.own)]

    async def usable_routes(self, database: Database) -> list[ServedRoute]:
        """What can be used in this database; what cannot is logged once, with the reason."""
        own = self._config.wake_routes
        routes = [ServedRoute(agent, route, False) for agent, route in own.items()]
        async with database.maintaining() as conn:
            added = await read_routes(conn)
        for stored in added:
            if stored.agent not in own:
                routes += self._usable(stored)
        return [self._with_floor(route) for route in routes]

    def targets(self, served: ServedRoute) -> Targets:
        """Where this route may lead."""
        if served.is_stored:
            return Targets(self._config.wake.allowed_targets)
        return Targets.of_own(served.route)

    def read(self, stored: StoredRoute) -> WakeRoute:
        """The route as it can be used here: its secret found, its target allowed."""
        route = self._config.wake_route(dict(stored.document))
        Targets(self._config.wake.allowed_targets).check(route)
        return route

    async def list(self, database: Database) -> Sequence[ListedRoute]:
        """Every route of the configuration and the database, with its outbox, by agent."""
        async with database.maintaining() as conn:
            routes = {route.agent: route for route in await read_routes(conn)}
            statuses = {status.agent: status for status in await outbox_statuses(conn)}
        agents = {*self.own, *routes, *statuses}
        return [
            self._describe(agent, routes.get(agent), statuses.get(agent))
            for agent in sorted(agents)
        ]

    def _describe(
        self, agent: str, stored: StoredRoute | None, outbox: OutboxStatus | None
    ) -> ListedRoute:
        own = self._config.wake_routes.get(agent)
        if own is not None:
            document = own.model_dump(mode="json", exclude_defaults=True)
            return ListedRoute(agent, CONFIGURED, document, own, "", outbox)
        if stored is None:
            return ListedRoute(agent, ELSEWHERE, {}, None, "", outbox)
        try:
            route, unusable = self.read(stored), ""
        except McpMemoryError as exc:
            route, unusable = None, str(exc)
        return ListedRoute(agent, ADDED, stored.document, route, unusable, outbox)

    def _usable(self, stored: StoredRoute) -> Sequence[ServedRoute]:
        try:
            route = self.read(stored)
            return [ServedRoute(stored.agent, route, True, added_at=stored.added_at)]
        except McpMemoryError as exc:
            complaint = f"{stored.agent}: {exc}"
            if complaint not in self._complaints:
                self._complaints.add(complaint)
                logger.warning("the wake route of %s", complaint)
            return []

    def _with_floor(self, served: ServedRoute) -> ServedRoute:
        route = served.route
        quiet = is_quiet(route.quiet_hours, datetime.now(self._config.zone()))
        floor = route.urgent_priority if quiet else 0
        return replace(served, floor=floor)


_ROUTES = """
SELECT agent_id AS agent, route AS document, added_at
FROM wake_routes
ORDER BY agent_id
"""


async def read_routes(conn: Connection) -> list[StoredRoute]:
    """Every route that was added by command, by agent."""
    async with conn.cursor(row_factory=class_row(StoredRoute)) as cursor:
        return await (await cursor.execute(_ROUTES)).fetchall()


_ADD_ROUTE = """
INSERT INTO wake_routes (agent_id, route)
VALUES (%(agent)s, %(route)s)
ON CONFLICT (agent_id) DO UPDATE SET route = excluded.route, added_at = now()
"""


async def add_route(conn: Connection, agent: str, document: Mapping[str, object]) -> None:
    """Keep the agent's route, in place of the one there was."""
    await conn.execute(_ADD_ROUTE, {"agent": agent, "route": Jsonb(dict(document))})
    await store.say_due(conn)


_REMOVE_ROUTE = """
WITH gone AS (DELETE FROM wake_routes WHERE agent_id = %(agent)s RETURNING 1),
     silent AS (DELETE FROM wake_leases WHERE agent_id = %(agent)s RETURNING 1)
SELECT (SELECT count(*) FROM gone) + (SELECT count(*) FROM silent)
"""

_FORGET_DUE = """
WITH ended AS (
    UPDATE wake_attempts SET state = 'not_needed', ended_at = now()
    WHERE agent_id = %(agent)s AND state = 'trying'
)
UPDATE wake_jobs SET state = 'not_needed' WHERE agent_id = %(agent)s AND state = 'due'
"""


async def remove_route(conn: Connection, agent: str) -> bool:
    """Wake the agent no more, not for what waits either; whether there was anything to end."""
    row = await (await conn.execute(_REMOVE_ROUTE, {"agent": agent})).fetchone()
    await conn.execute(_FORGET_DUE, {"agent": agent})
    return row is not None and int(row[0]) > 0


_OUTBOX_STATUSES = """
SELECT d.agent_id AS agent,
       (SELECT count(*) FROM wake_jobs b WHERE b.agent_id = d.agent_id AND b.state = 'due')
           AS waiting,
       (SELECT min(b.queued_at) FROM wake_jobs b WHERE b.agent_id = d.agent_id AND b.state = 'due')
           AS waiting_since,
       given_up.rings AS given_up, given_up.problem AS given_up_problem,
       d.failures, d.problem, d.next_try_at
FROM wake_leases d
CROSS JOIN LATERAL (
    SELECT count(*) AS rings,
           coalesce((array_agg(r.problem ORDER BY r.ended_at DESC))[1], '') AS problem
    FROM wake_attempts r
    WHERE r.agent_id = d.agent_id AND r.state = 'given_up'
      AND r.ended_at > now() - interval '7 days'
      AND EXISTS (
          SELECT
          FROM wake_jobs b
          JOIN deliveries m ON m.agent_id = b.agent_id AND m.message_id = b.message_id
          WHERE b.attempt_id = r.id AND b.state = 'given_up' AND m.state IN ('queued', 'delivered')
            AND (m.expires_at IS NULL OR m.expires_at > now())
      )
) given_up
ORDER BY d.agent_id
"""


async def outbox_statuses(conn: Connection) -> list[OutboxStatus]:
    """The outbox of every agent that can be woken; attempts given up are those of seven days
    whose mail is unread."""
    async with conn.cursor(row_factory=class_row(OutboxStatus)) as cursor:
        return await (await cursor.execute(_OUTBOX_STATUSES)).fetchall()
