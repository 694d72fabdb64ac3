"""Which routes this process can use: those of its configuration, then those added by command."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from mcp_memory.config import Config, WakeRoute, is_quiet
from mcp_memory.errors import McpMemoryError
from mcp_memory.memory.mail.wake import store
from mcp_memory.memory.mail.wake.model import ListedRoute, OutboxStatus, ServedRoute, StoredRoute
from mcp_memory.memory.mail.wake.targets import Targets
from mcp_memory.postgres.database import Database

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
            stored_routes = await store.routes(conn)
        for stored in stored_routes:
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
            routes = {route.agent: route for route in await store.routes(conn)}
            statuses = {status.agent: status for status in await store.outbox_statuses(conn)}
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
