"""Worker threads of one embedder, where a query never queues behind documents."""

from collections.abc import Callable, Iterable
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, create_task_group, to_thread

A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")

QUERY_THREADS = 4


class EmbeddingThreads:
    """Two separate limits, both apart from anyio's own of forty.

    A cancelled caller waits for its thread: keep each piece of work short.
    """

    def __init__(self, document_threads: int = 1) -> None:
        self.document_threads = document_threads
        self._documents = CapacityLimiter(document_threads)
        self._queries = CapacityLimiter(QUERY_THREADS)

    async def for_documents(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs a piece of bulk work; the pieces of several callers take turns."""
        return await to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._documents)

    async def for_each(self, work: Callable[[A], R], pieces: Iterable[A]) -> list[R]:
        """The results of all pieces in their order, as many at a time as there are threads.

        The first failure is raised as it is, not in a group, and no further piece begins.
        """
        waiting = enumerate(pieces)
        results: dict[int, R] = {}

        async def work_through() -> None:
            for position, piece in waiting:
                results[position] = await self.for_documents(work, piece)

        try:
            async with create_task_group() as group:
                for _ in range(self.document_threads):
                    group.start_soon(work_through)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        return [results[position] for position in sorted(results)]

    async def for_query(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs one short piece of work somebody is waiting for."""
        return await to_thread.run_sync(lambda: work(*args, **kwargs), limiter=self._queries)
