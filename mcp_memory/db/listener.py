"""The thread on which a process listens to all its databases."""

from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TypeVar

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

Result = TypeVar("Result")


class ListenerThread:
    """An event loop in a thread of its own; it is started when it first has something to do.

    Its sockets are read whatever the process's other loop is busy with: neither a long ranking nor
    a large answer delays a wake-up, the ping that keeps a connection, or the note that one is lost.
    """

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._portal: BlockingPortal | None = None

    def start(self, work: Callable[..., Awaitable[Result]], *arguments: object) -> Future[Result]:
        """Run `work` there; what it returns, or a way to cancel it."""
        if self._portal is None:
            portal = start_blocking_portal("asyncio", name="mcp-memory-listener")
            self._portal = self._stack.enter_context(portal)
        return self._portal.start_task_soon(work, *arguments)

    async def aclose(self) -> None:
        """End the thread; all that runs there must have been cancelled."""
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self._stack.close)
        self._portal = None
