"""The rules of the directory: agents that are known, and channels that are heard."""

from collections.abc import Sequence

from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput
from mcp_memory.messaging import validation
from mcp_memory.messaging.directory import store
from mcp_memory.messaging.directory.presence import Presence
from mcp_memory.messaging.models import Channel, KnownAgent
from mcp_memory.paging import from_cursor, to_cursor
from mcp_memory.text.storable import is_storable

_AGENTS, _CHANNELS = "agents", "channels"


class Directory:
    """Who there is in the mail of each named database. All agents may know all of it."""

    def __init__(self, databases: Databases, presence: Presence) -> None:
        self._databases, self._presence = databases, presence

    async def agents(
        self, agent: str, *, limit: int = 20, cursor: str = "", database: str | None = None
    ) -> tuple[Sequence[KnownAgent], str]:
        """Known agents by name, and where the next page starts."""
        after = _after(_AGENTS, cursor)
        chosen = await self._databases.reading(self._name(database), agent)
        found = await chosen.read(agent, lambda conn: store.agents(conn, limit + 1, after))
        page, more = found[:limit], len(found) > limit
        return page, to_cursor(_AGENTS, page[-1].agent) if more else ""

    async def channels(
        self, agent: str, *, limit: int = 20, cursor: str = "", database: str | None = None
    ) -> tuple[Sequence[Channel], str]:
        """Channels that somebody hears, and where the next page starts."""
        after = _after(_CHANNELS, cursor)
        chosen = await self._databases.reading(self._name(database), agent)
        found = await chosen.read(agent, lambda conn: store.channels(conn, limit + 1, after))
        page, more = found[:limit], len(found) > limit
        return page, to_cursor(_CHANNELS, page[-1].channel) if more else ""

    async def heard(self, agent: str, *, database: str | None = None) -> Sequence[str]:
        """The channels that the agent hears, by name."""
        chosen = await self._databases.reading(self._name(database), agent)
        return await chosen.read(agent, store.heard)

    async def subscribe(self, agent: str, channel: str, *, database: str | None = None) -> bool:
        """Hear a channel from now on, restarts included; whether one did not before."""
        validation.checked_channel(channel)
        chosen = await self._databases.writing(self._name(database), agent)
        await self._presence.note(agent, chosen.name)
        return await chosen.write(
            agent, lambda conn: store.subscribe(conn, agent, channel), changes_search=False
        )

    async def unsubscribe(self, agent: str, channel: str, *, database: str | None = None) -> bool:
        """Hear a channel no more; whether one did before. Mail that has come stays."""
        validation.checked_channel(channel)
        chosen = await self._databases.reading(self._name(database), agent)
        return await chosen.write(
            agent, lambda conn: store.unsubscribe(conn, channel), changes_search=False
        )

    def _name(self, database: str | None) -> str:
        return database or self._databases.configured_default


def _after(kind: str, cursor: str) -> str:
    """The name that the page before ended with."""
    if not cursor:
        return ""
    match from_cursor(kind, cursor):
        case [str() as name] if is_storable(name):
            return name
        case _:
            raise InvalidInput("cursor", f"is not one of the action {kind}")
