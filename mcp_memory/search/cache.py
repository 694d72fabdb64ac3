"""T0: answers kept in this process, each valid for the epoch it was read in, and the epochs.

Every change of what can be found (chunks, vectors, the active model) notifies its owner's name on
one channel, or `*` when it is shared, inside the writing transaction. So a kept answer is old by
this process's own writes, and by what others notify.

Between it and the search there is room for T1, a table that processes share, with the same key and
the epochs compared in its statement. Measured (`benchmarks.search --shared-answers`), a hit takes a
ninth of a search, but every search that misses pays for looking, for keeping its answer, and every
write for a row of the epoch: it gains nothing before one in five of the searches that T0 does not
know is a repeat, word for word, by another process of the agent, within the minutes that an answer
may be kept, with nothing written since. So it is not there; a search only reads, on replicas too.
"""

from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic
from typing import Generic, TypeVar

import anyio

from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.notify import RECONNECTED, Subscription
from mcp_memory.postgres.session import Database

CHANNEL = "mcp_memory_epoch"
EVERYBODY = "*"

Epoch = tuple[int, int, int, int]
Answer = TypeVar("Answer")

# Passing time alone can change an answer (what expires, how recent a thing is).
_MAX_AGE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Answer]):
    epoch: Epoch
    stored_at: float
    answer: Answer


class AnswerCache(Generic[Answer]):
    """The answers used last, at most `entries` of them; none when that is 0.

    The key must hold everything an answer depends on but what is stored: who asks, in which
    database, what, with which model. Empty answers are the caller's to leave out.
    """

    def __init__(self, entries: int) -> None:
        self._most = entries
        self._entries: OrderedDict[object, _Entry[Answer]] = OrderedDict()

    def get(self, key: object, epoch: Epoch | None) -> Answer | None:
        """The answer, if it was read in the epoch that is the current one."""
        entry = self._entries.get(key)
        if entry is None or epoch is None:
            return None
        if entry.epoch != epoch or monotonic() - entry.stored_at > _MAX_AGE_SECONDS:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry.answer

    def put(self, key: object, epoch: Epoch | None, answer: Answer) -> None:
        """Keep an answer that was read in this epoch, determined before reading began."""
        if epoch is None or self._most == 0:
            return
        self._entries[key] = _Entry(epoch, monotonic(), answer)
        self._entries.move_to_end(key)
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)


class Epochs:
    """The current epoch of each database and agent, as far as this process can know it.

    A database is listened to from its second search on: a process that asks once has no use for
    a connection more.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._watched: dict[str, _Watch] = {}
        self._asked: set[str] = set()
        self._is_due = anyio.Event()

    def current(self, database: Database, agent: str) -> Epoch | None:
        """What an answer must have been read in to be valid now; None when nobody can say."""
        watch = self._watch(database)
        if watch is None:
            if database.name in self._asked:
                self._is_due.set()
            self._asked.add(database.name)
            return None
        return watch.epoch(agent)

    async def run_worker(self) -> None:
        """Listen on the databases that are searched, until cancelled."""
        async with anyio.create_task_group() as listeners:
            while True:
                await self._is_due.wait()
                self._is_due = anyio.Event()
                for database in self._databases.list_open():
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
