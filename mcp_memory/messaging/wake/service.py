"""The rules of waking: who can be woken and how, and what became of each bell."""

from collections.abc import Mapping, Sequence
from functools import partial
from uuid import uuid4

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import Config
from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput, RouteNotFound, RouteUnusable
from mcp_memory.messaging import validation
from mcp_memory.messaging.wake import store
from mcp_memory.messaging.wake.cue import Cue
from mcp_memory.messaging.wake.models import (
    Attempt,
    BellState,
    ListedRoute,
    Served,
)
from mcp_memory.messaging.wake.registry import RouteRegistry
from mcp_memory.messaging.wake.route_client import RouteClient
from mcp_memory.messaging.wake.targets import Targets
from mcp_memory.messaging.wake.worker import WakeWorker


class Wake:
    """Routes, and the bells that are rung through them, in the database that mail lies in."""

    def __init__(self, databases: Databases, config: Config) -> None:
        self._databases, self._config = databases, config
        self._registry, self._client = RouteRegistry(config), RouteClient()

    async def run(self, *, opens_mail: bool = False) -> None:
        """Ring until cancelled; for processes that stay.

        One that clients come and go at passes `opens_mail`: it rings before the first of them.
        """
        worker = WakeWorker(self._databases, self._registry, self._client, self._config.wake)
        await worker.run(opens_mail=opens_mail)

    async def aclose(self) -> None:
        """Give up what is open."""
        await self._client.aclose()

    async def bells(
        self, agent: str, message_id: str, *, database: str | None = None
    ) -> Sequence[BellState]:
        """How the recipients of one's own message were woken; nothing for anybody else's."""
        number = validation.message_id(message_id)
        chosen = await self._databases.reading(self._name(database), agent)
        return await chosen.read(agent, partial(store.bells_of, message_id=number))

    async def add(
        self, agent: str, document: Mapping[str, object], *, database: str | None = None
    ) -> None:
        """Keep a route, in place of the one that was added before; what is unread is rung for.

        `ConfigError` or `TargetRefused` when it could not be used here; then nothing is kept.
        """
        if agent in self._config.wake_routes:
            raise InvalidInput(
                "agent", f"the configuration has a route for {agent!r}, which goes first"
            )
        if isinstance(document.get("token"), str):
            raise InvalidInput("token", "name where it is: a variable or a file")
        route = self._config.wake_route(dict(document))
        Targets(self._config.wake.allowed_targets).check(route)
        served = [Served(agent, route, True)]

        async def add(conn: Connection) -> None:
            await store.add_route(conn, agent, document)
            await store.announce(conn, served)
            await audit.record(conn, Event(self._config.agent, "add", "wake route", agent))

        await (await self._writing(database)).maintain(add)

    async def remove(self, agent: str, *, database: str | None = None) -> None:
        """Wake the agent no more, not for what waits either; `RouteNotFound` without a route."""

        async def remove(conn: Connection) -> bool:
            is_gone = await store.remove_route(conn, agent)
            await audit.record(conn, Event(self._config.agent, "remove", "wake route", agent))
            return is_gone

        if agent in self._config.wake_routes:
            raise InvalidInput("agent", f"{agent!r} has its route in the configuration: edit that")
        chosen = await self._writing(database)
        if not await chosen.maintain(remove):
            raise RouteNotFound(agent, await self._agents(chosen))

    def configured(self) -> Sequence[ListedRoute]:
        """The routes of the configuration, by agent; no database is looked at."""
        return self._registry.configured()

    async def list(self, *, database: str | None = None) -> Sequence[ListedRoute]:
        """Every route, with its outbox, by agent."""
        return await self._registry.listed(await self._writing(database))

    async def test(self, agent: str, *, database: str | None = None) -> Attempt:
        """Ring once, really, with a key of its own and a cue that is for no message; one try.

        Where it works, what failed before is tried again at once. `RouteNotFound` or
        `RouteUnusable` without a route to ring by.
        """
        chosen = await self._writing(database)
        served = await self._route(agent, chosen)
        targets = self._registry.targets(served)
        cue = Cue(agent, [])
        attempt = await self._client.ring(served.route, targets, cue, key=str(uuid4()), attempt=1)
        if attempt.is_rung:
            await chosen.maintain(partial(store.start_anew, agents=[agent]))
        return attempt

    async def try_dry(self, listed: ListedRoute) -> Attempt:
        """Whether the route works, without waking anybody."""
        if listed.route is None:
            return Attempt(listed.unusable or "no server that is known here has this route")
        served = Served(listed.agent, listed.route, listed.agent not in self._config.wake_routes)
        return await self._client.try_dry(
            served.route, self._registry.targets(served), listed.agent
        )

    async def _route(self, agent: str, database: Database) -> Served:
        listed = {each.agent: each for each in await self._registry.listed(database)}
        if agent not in listed:
            raise RouteNotFound(agent, list(listed))
        found = listed[agent]
        if found.route is None:
            raise RouteUnusable(agent, found.unusable or "only other servers have it")
        return Served(agent, found.route, is_stored=agent not in self._config.wake_routes)

    async def _agents(self, database: Database) -> Sequence[str]:
        return [each.agent for each in await self._registry.listed(database)]

    async def _writing(self, database: str | None) -> Database:
        return await self._databases.writing(self._name(database), self._config.agent)

    def _name(self, database: str | None) -> str:
        return database or self._databases.configured_default
