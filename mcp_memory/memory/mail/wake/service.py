"""The rules of waking: who can be woken and how, and what became of each attempt."""

from collections.abc import Mapping, Sequence
from uuid import uuid4

from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput, RouteNotFound, RouteUnusable
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.memory.mail import model
from mcp_memory.memory.mail.wake import registry, store
from mcp_memory.memory.mail.wake.client import RouteClient
from mcp_memory.memory.mail.wake.cue import Cue
from mcp_memory.memory.mail.wake.model import ListedRoute, Outcome, ServedRoute, WakeState
from mcp_memory.memory.mail.wake.registry import RouteRegistry
from mcp_memory.memory.mail.wake.targets import Targets
from mcp_memory.memory.mail.wake.worker import WakeWorker
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Session


class Wake:
    """Routes, and the agents that are woken through them, where their mail lies."""

    def __init__(self, databases: Databases, config: Config) -> None:
        self._databases, self._config = databases, config
        self._registry, self._client = RouteRegistry(config), RouteClient()

    async def run(self, *, opens_mail: bool = False) -> None:
        """Wake agents until cancelled; for processes that stay.

        One that clients come and go at passes `opens_mail`: it wakes before the first of them.
        """
        worker = WakeWorker(self._databases, self._registry, self._client, self._config.wake)
        await worker.run(opens_mail=opens_mail)

    async def aclose(self) -> None:
        """Give up what is open."""
        await self._client.aclose()

    async def states(self, session: Session, message_id: str) -> Sequence[WakeState]:
        """How the recipients of one's own message were woken; nothing for anybody else's."""
        number = model.message_id(message_id)
        async with session.reading() as conn:
            return await store.wake_states(conn, number)

    async def add(self, session: Session, agent: str, document: Mapping[str, object]) -> None:
        """Keep a route, in place of the one that was added before; unread mail wakes the agent.

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
        database = await session.open(create=True)
        async with database.maintaining() as conn:
            await registry.add_route(conn, agent, document)
            await store.announce(conn, [ServedRoute(agent, route, True)])
            await audit.record(conn, Event(session.agent, "add", "wake route", agent))

    async def remove(self, session: Session, agent: str) -> None:
        """Wake the agent no more, not for what waits either; `RouteNotFound` without a route."""
        if agent in self._config.wake_routes:
            raise InvalidInput("agent", f"{agent!r} has its route in the configuration: edit that")
        database = await session.open(create=True)
        async with database.maintaining() as conn:
            is_gone = await registry.remove_route(conn, agent)
            await audit.record(conn, Event(session.agent, "remove", "wake route", agent))
        if not is_gone:
            agents = [route.agent for route in await self._registry.list(database)]
            raise RouteNotFound(agent, agents)

    def list_configured(self) -> Sequence[ListedRoute]:
        """The routes of the configuration, by agent; no database is looked at."""
        return self._registry.list_configured()

    async def list(self, session: Session) -> Sequence[ListedRoute]:
        """Every route, with its outbox, by agent."""
        return await self._registry.list(await session.open(create=True))

    async def test(self, session: Session, agent: str) -> Outcome:
        """Wake once, really, with a key of its own and a cue that is for no message; one try.

        Where it works, what failed before is tried again at once. `RouteNotFound` or
        `RouteUnusable` without a route to wake by.
        """
        route = self._usable(agent, await self.list(session))
        outcome = await self._client.wake(
            route.route, self._registry.targets(route), Cue(agent, []), key=str(uuid4()), attempt=1
        )
        if outcome.is_delivered:
            async with session.maintaining() as conn:
                await store.start_anew(conn, [agent])
        return outcome

    async def try_dry(self, listed: ListedRoute) -> Outcome:
        """Whether the route works, without waking anybody."""
        if listed.route is None:
            return Outcome(listed.unusable or "no server that is known here has this route")
        is_stored = listed.agent not in self._config.wake_routes
        route = ServedRoute(listed.agent, listed.route, is_stored)
        return await self._client.try_dry(route.route, self._registry.targets(route), listed.agent)

    def _usable(self, agent: str, routes: Sequence[ListedRoute]) -> ServedRoute:
        """The agent's route among these."""
        listed = next((route for route in routes if route.agent == agent), None)
        if listed is None:
            raise RouteNotFound(agent, [route.agent for route in routes])
        if listed.route is None:
            raise RouteUnusable(agent, listed.unusable or "only other servers have it")
        return ServedRoute(agent, listed.route, is_stored=agent not in self._config.wake_routes)
