"""Cutting a list of texts into batches; pure."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import ParamSpec, TypeVar, cast

import numpy as np
from anyio import CapacityLimiter, create_task_group, to_thread
from numpy.typing import NDArray

from mcp_memory.errors import DimensionMismatch, EmbeddingError


def batches(texts: Sequence[str], *, max_count: int, max_characters: int) -> Iterator[list[str]]:
    """Consecutive runs of texts, in order, bounded by count and by characters.

    A text that is longer than `max_characters` alone is a batch of its own, never cut.
    """
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == max_count or characters + len(text) > max_characters):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def runs_of_equal_length(lengths: Sequence[int], *, max_count: int) -> Iterator[list[int]]:
    """Positions grouped by length, shortest first: a batch of them needs no padding."""
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    for _, equals in groupby(by_length, key=lengths.__getitem__):
        positions = list(equals)
        for start in range(0, len(positions), max_count):
            yield positions[start : start + max_count]


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


def unit_rows(
    rows: NDArray[np.float32], *, model: str, count: int, dimensions: int
) -> NDArray[np.float32]:
    """The rows scaled to length 1; refuses what no index should ever hold."""
    if rows.ndim != 2 or len(rows) != count:
        raise EmbeddingError(
            f"Model {model!r} was given {count} texts and returned an array of shape {rows.shape}."
        )
    if rows.shape[1] != dimensions:
        raise DimensionMismatch(model, dimensions, rows.shape[1])
    # In double precision, so that the square of a large coordinate does not become infinite.
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise EmbeddingError(f"Model {model!r} returned a vector that holds NaN or infinity.")
    if not lengths.all():
        raise EmbeddingError(f"Model {model!r} returned a zero vector, which has no direction.")
    return cast("NDArray[np.float32]", (rows / lengths).astype(np.float32))
