"""Telling whoever watches an agent's mailbox that there may be mail, while the process runs."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial

import anyio
from anyio.abc import TaskGroup

from mcp_memory.background import attempt
from mcp_memory.backoff import Backoff
from mcp_memory.memory.mail.wait import hear_mail
from mcp_memory.postgres.databases import Databases

_FIRST_PAUSE_SECONDS = 1.0
_MAX_PAUSE_SECONDS = 60.0
_TELL_SECONDS = 5.0

Tell = Callable[[], Awaitable[None]]

logger = logging.getLogger(__name__)


class MailWatch:
    """The watched mailboxes of one process, each heard once however many watch it."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases
        self._watchers: dict[str, dict[object, Tell]] = {}
        self._signals: dict[str, anyio.Event] = {}
        self._changed = anyio.Event()

    def watch(self, agent: str, tell: Tell) -> Callable[[], None]:
        """Call `tell` once the agent's mail is heard, and whenever there may be more.

        What this returns ends the watch; it may be called twice.
        """
        token = object()
        self._watchers.setdefault(agent, {})[token] = tell
        self._signal(agent)
        self._changed.set()

        def stop() -> None:
            self._watchers.get(agent, {}).pop(token, None)
            self._changed.set()

        return stop

    async def run_worker(self) -> None:
        """Hear the mail of every agent that is watched, until cancelled."""
        scopes: dict[str, anyio.CancelScope] = {}
        async with anyio.create_task_group() as tasks:
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                for agent, watchers in [*self._watchers.items()]:
                    if not watchers:
                        del self._watchers[agent]
                        scopes.pop(agent, anyio.CancelScope()).cancel()
                    elif agent not in scopes:
                        scope = scopes[agent] = anyio.CancelScope()
                        tasks.start_soon(self._hear, agent, scope, tasks)

    async def _hear(self, agent: str, scope: anyio.CancelScope, tasks: TaskGroup) -> None:
        backoff = Backoff(_FIRST_PAUSE_SECONDS, _MAX_PAUSE_SECONDS)
        with scope:
            while True:
                await attempt(f"hearing the mail of {agent}", partial(self._pass_on, agent, tasks))
                await anyio.sleep(backoff.next_seconds())

    async def _pass_on(self, agent: str, tasks: TaskGroup) -> None:
        name = self._databases.configured_default
        database = await self._databases.writing(name, agent)
        signal = self._signals[agent] = anyio.Event()
        try:
            # A client that is told may do nothing about it: its agent may have to be woken.
            listening = hear_mail(database, agent, lambda _: self._signal(agent), is_awake=False)
            async with listening:
                while True:
                    await signal.wait()
                    signal = self._signals[agent] = anyio.Event()
                    for tell in self._watchers.get(agent, {}).values():
                        tasks.start_soon(_tell, tell)
        finally:
            self._signals.pop(agent, None)

    def _signal(self, agent: str) -> None:
        if (signal := self._signals.get(agent)) is not None:
            signal.set()


async def _tell(tell: Tell) -> None:
    """A watcher who is gone or slow is nobody else's trouble."""
    with anyio.move_on_after(_TELL_SECONDS):
        try:
            await tell()
        except Exception:  # the watch of the others must survive whatever one of them does
            logger.exception("a watcher of mail could not be told")
