"""Which spaces a database has, without asking it at every search."""

from weakref import WeakKeyDictionary

import anyio

from mcp_memory.db.database import Database
from mcp_memory.spaces import store
from mcp_memory.spaces.models import Space

# Shorter than the three seconds that dropping a space waits (see the class).
_FRESH_SECONDS = 2.0


class SpaceCache:
    """Each database's spaces, at most two seconds old.

    An old answer is safe. After a switch the space before is still full and still filled, and a
    search embeds its query and looks for chunks in one and the same space, whichever it is. A
    space cannot change its model, and ids are never given twice. Only dropping it takes vectors
    away: that is refused while it is active, and waits three seconds after a switch
    (`drop_vector_space`), when nobody takes it for the active one any more.
    """

    def __init__(self) -> None:
        self._entries: WeakKeyDictionary[Database, tuple[float, list[Space]]] = WeakKeyDictionary()

    async def of(self, database: Database) -> list[Space]:
        """The database's spaces, oldest first."""
        until, spaces = self._entries.get(database, (0.0, []))
        # The age counts from before the reading, or a switch could hide behind a slow answer.
        now = anyio.current_time()
        if spaces and now < until:
            return spaces
        async with database.maintaining() as conn:
            spaces = await store.spaces(conn)
        self._entries[database] = (now + _FRESH_SECONDS, spaces)
        return spaces

    async def active(self, database: Database) -> Space | None:
        """The space that searches use; None before there is any."""
        return next((space for space in await self.of(database) if space.state == "active"), None)

    def forget(self, database: Database) -> None:
        """Ask again next time: this process has changed something."""
        self._entries.pop(database, None)
