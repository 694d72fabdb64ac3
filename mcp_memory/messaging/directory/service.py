"""The rules of the directory: agents that are known, and channels that are heard."""

from collections.abc import Sequence

from mcp_memory.db.session import Session
from mcp_memory.errors import InvalidInput
from mcp_memory.messaging import validation
from mcp_memory.messaging.directory import store
from mcp_memory.messaging.models import Channel, KnownAgent
from mcp_memory.paging import Page, from_cursor
from mcp_memory.text.storable import is_storable

_AGENTS, _CHANNELS = "agents", "channels"


class Directory:
    """Who there is in the mail of each named database. All agents may know all of it."""

    async def agents(
        self, session: Session, *, limit: int = 20, cursor: str = ""
    ) -> Page[KnownAgent]:
        """Known agents by name."""
        after = _name_in(_AGENTS, cursor)
        async with session.reading() as conn:
            rows = await store.agents(conn, limit + 1, after)
        return Page[KnownAgent].of(rows, limit, _AGENTS, lambda row: [row.agent])

    async def channels(
        self, session: Session, *, limit: int = 20, cursor: str = ""
    ) -> Page[Channel]:
        """Channels that somebody hears, by name."""
        after = _name_in(_CHANNELS, cursor)
        async with session.reading() as conn:
            rows = await store.channels(conn, limit + 1, after)
        return Page[Channel].of(rows, limit, _CHANNELS, lambda row: [row.channel])

    async def subscriptions(self, session: Session) -> Sequence[str]:
        """The channels that the agent hears, by name."""
        async with session.reading() as conn:
            return await store.subscriptions(conn)

    async def subscribe(self, session: Session, channel: str) -> bool:
        """Hear a channel from now on, restarts included; whether one did not before."""
        validation.checked_channel(channel)
        async with session.writing(changes_search=False) as conn:
            return await store.subscribe(conn, session.agent, channel)

    async def unsubscribe(self, session: Session, channel: str) -> bool:
        """Hear a channel no more; whether one did before. Mail that has come stays."""
        validation.checked_channel(channel)
        async with session.writing(create=False, changes_search=False) as conn:
            return await store.unsubscribe(conn, channel)


def _name_in(kind: str, cursor: str) -> str:
    """The name that the page before ended with."""
    if not cursor:
        return ""
    match from_cursor(kind, cursor):
        case [str() as name] if is_storable(name):
            return name
        case _:
            raise InvalidInput("cursor", f"is not one of the action {kind}")
