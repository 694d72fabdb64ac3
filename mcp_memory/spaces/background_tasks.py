"""Background tasks that somebody waits for only so long: they go on when nobody waits any more."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from mcp_memory.errors import EmbeddingUnavailable

Result = TypeVar("Result")

# How long a provider that did not answer is left alone.
_REST_SECONDS = 5.0


class BoundedTasks:
    """Runs embedding for whoever waits, and spares them a wait that is known to be in vain.

    A model that loads, or a thread that computes, cannot be interrupted. So each piece of work
    has a task of its own: a search that is cancelled or out of patience leaves at once, and the
    task ends by itself. While `max_overdue` of them have outlived their patience, or for some
    seconds after a provider did not answer, nobody waits at all. `aclose` ends what is still under
    way.
    """

    def __init__(self, *, patience_seconds: float, max_overdue: int) -> None:
        self._patience_seconds, self._max_overdue = patience_seconds, max_overdue
        self._running: set[asyncio.Task[None]] = set()
        self._overdue: set[asyncio.Task[None]] = set()
        self._outages: dict[str, tuple[EmbeddingUnavailable, float]] = {}

    async def run(self, provider: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work` returns; `EmbeddingUnavailable` when it takes too long, now or lately."""
        self._refuse_in_vain(provider)
        results: list[Result] = []
        task = self._begin(work, results)
        try:
            await asyncio.wait([task], timeout=self._patience_seconds)
        finally:
            if not task.done():
                self._overdue.add(task)
        if not task.done() or task.cancelled():
            reason = f"no answer within {self._patience_seconds:g} s; it goes on in the background"
            raise EmbeddingUnavailable(provider, reason)
        try:
            task.result()
        except EmbeddingUnavailable as exc:
            self._outages[provider] = (exc, anyio.current_time() + _REST_SECONDS)
            raise
        return results[0]

    def end_outage(self, provider: str) -> None:
        """Forget that the provider did not answer: somebody just had its answer."""
        self._outages.pop(provider, None)

    async def aclose(self) -> None:
        """Cancel every task and wait until it has cleaned up."""
        for task in self._running:
            task.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _begin(
        self, work: Callable[[], Awaitable[Result]], results: list[Result]
    ) -> asyncio.Task[None]:
        async def collect() -> None:
            results.append(await work())

        task = asyncio.ensure_future(collect())
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    def _refuse_in_vain(self, provider: str) -> None:
        problem, until = self._outages.get(provider, (None, 0.0))
        if problem is not None and anyio.current_time() < until:
            raise problem.with_traceback(None)
        if len(self._overdue) >= self._max_overdue:
            raise EmbeddingUnavailable(provider, "it is still busy with what was asked before")

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        self._overdue.discard(task)
        if not task.cancelled():
            task.exception()  # seen: whoever waited has it, or has left
