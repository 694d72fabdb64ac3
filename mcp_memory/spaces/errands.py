"""Work that somebody waits for only so long: it goes on when they have left."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from mcp_memory.errors import EmbeddingUnavailable

Result = TypeVar("Result")

_REST_SECONDS = 5.0


class Errands:
    """Runs embedding for whoever waits, and spares them a wait that is known to be in vain.

    A model that loads, or a thread that computes, cannot be interrupted. So each errand has a task
    of its own: a search that is cancelled or out of patience leaves at once, and the errand ends
    by itself. While `most_overdue` of them have outlived their patience, or for some seconds after
    a provider did not answer, nobody waits at all. `aclose` ends what is still under way.
    """

    def __init__(self, *, patience_seconds: float, most_overdue: int) -> None:
        self._patience_seconds, self._most_overdue = patience_seconds, most_overdue
        self._running: set[asyncio.Task[None]] = set()
        self._overdue: set[asyncio.Task[None]] = set()
        self._outages: dict[str, tuple[EmbeddingUnavailable, float]] = {}

    async def run(self, provider: str, work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work` returns; `EmbeddingUnavailable` when it takes too long, now or lately."""
        self._refuse_in_vain(provider)
        results: list[Result] = []
        errand = self._begin(work, results)
        try:
            await asyncio.wait([errand], timeout=self._patience_seconds)
        finally:
            if not errand.done():
                self._overdue.add(errand)
        if not errand.done() or errand.cancelled():
            reason = f"no answer within {self._patience_seconds:g} s; it goes on in the background"
            raise EmbeddingUnavailable(provider, reason)
        try:
            errand.result()
        except EmbeddingUnavailable as exc:
            self._outages[provider] = (exc, anyio.current_time() + _REST_SECONDS)
            raise
        return results[0]

    def recovered(self, provider: str) -> None:
        """Forget that the provider did not answer: somebody just had its answer."""
        self._outages.pop(provider, None)

    async def aclose(self) -> None:
        """Cancel every errand and wait until it has cleaned up."""
        for errand in self._running:
            errand.cancel()
        if self._running:
            await asyncio.wait(self._running)

    def _begin(
        self, work: Callable[[], Awaitable[Result]], results: list[Result]
    ) -> asyncio.Task[None]:
        async def errand() -> None:
            results.append(await work())

        task = asyncio.ensure_future(errand())
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def _refuse_in_vain(self, provider: str) -> None:
        problem, until = self._outages.get(provider, (None, 0.0))
        if problem is not None and anyio.current_time() < until:
            raise problem.with_traceback(None)
        if len(self._overdue) >= self._most_overdue:
            raise EmbeddingUnavailable(provider, "it is still busy with what was asked before")

    def _ended(self, errand: asyncio.Task[None]) -> None:
        self._running.discard(errand)
        self._overdue.discard(errand)
        if not errand.cancelled():
            errand.exception()  # seen: whoever waited has it, or has left
