"""When a remembered answer is old: by this process's own writes, and by what others notify.

Every change of what can be found (chunks, vectors, the active model) notifies its owner's name on
one channel, or `*` when it is shared, inside the writing transaction.
"""

import anyio

from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.db.notifications import RECONNECTED, Subscription

CHANNEL = "mcp_memory_epoch"
EVERYBODY = "*"

Epoch = tuple[int, int, int, int]


class Epochs:
    """The current epoch of each database and agent, as far as this process can know it.

    A database is listened to from its second search on: a process that asks once has no use for
    a connection more.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._watched: dict[str, _Watch] = {}
        self._asked: set[str] = set()
        self._wanted = anyio.Event()

    def current(self, database: Database, agent: str) -> Epoch | None:
        """What an answer must have been read in to be valid now; None when nobody can say."""
        watch = self._watch(database)
        if watch is None:
            if database.name in self._asked:
                self._wanted.set()
            self._asked.add(database.name)
            return None
        return watch.epoch(agent)

    async def run_worker(self) -> None:
        """Listen on the databases that are searched, until cancelled."""
        async with anyio.create_task_group() as listeners:
            while True:
                await self._wanted.wait()
                self._wanted = anyio.Event()
                for database in self._databases.opened():
                    if database.name in self._asked and self._watch(database) is None:
                        watch = self._watched[database.name] = _Watch(database)
                        listeners.start_soon(watch.begin)

    def _watch(self, database: Database) -> "_Watch | None":
        """A database that was dropped and made again under its name is another one."""
        watch = self._watched.get(database.name)
        return watch if watch is not None and watch.database is database else None


class _Watch:
    """One database's epochs."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self._own: dict[str, int] = {}
        self._shared = 0
        self._connections = 0
        self._subscription: Subscription | None = None

    async def begin(self) -> None:
        self._subscription = await self.database.notifications.subscribe(CHANNEL, self._hear)

    def epoch(self, agent: str) -> Epoch | None:
        if self._subscription is None or not self._subscription.is_listening:
            return None
        own = self._own.get(agent, 0)
        return (self._connections, self.database.writes, self._shared, own)

    def _hear(self, payload: str) -> None:
        if payload == RECONNECTED:
            self._connections += 1
        elif payload == EVERYBODY:
            self._shared += 1
        else:
            self._own[payload] = self._own.get(payload, 0) + 1
