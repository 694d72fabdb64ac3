"""Emptying a queue at the speed of the model: while one batch is stored, the next is embedded."""

from collections.abc import Callable

import anyio

from mcp_memory.spaces.queue.work import EmbeddingTarget, embed_batch

# Two lanes keep the model busy; a third hides a slow commit. Each holds one batch, no more.
LANES = 3
LARGEST_BATCH = 512
# A batch under the first is too small to keep the model busy; one over the second holds up a
# cancellation, and comes near the end of its lease (15 s).
_SHORT_SECONDS = 1.0
_LONG_SECONDS = 5.0


async def embed_all_batches(
    target: EmbeddingTarget, *, batch: int, on_done: Callable[[int], None] = lambda done: None
) -> int:
    """Embed until nothing is due; how many chunks were. `on_done` hears of each batch.

    The first failure ends it and is raised as it is; the other lanes give back what they hold.
    """
    done = await embed_batch(target, limit=batch)
    if not done:
        return 0
    on_done(done)

    async def lane() -> None:
        nonlocal done
        size = batch
        while True:
            began = anyio.current_time()
            count = await embed_batch(target, limit=size)
            if not count:
                return
            done += count
            on_done(count)
            size = next_size(size, anyio.current_time() - began)

    try:
        async with anyio.create_task_group() as lanes:
            for _ in range(LANES):
                lanes.start_soon(lane)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return done


def next_size(size: int, seconds: float) -> int:
    """Larger batches while they are quick, smaller ones when a lease or a cancellation waits."""
    if seconds < _SHORT_SECONDS:
        return min(size * 2, max(size, LARGEST_BATCH))
    if seconds > _LONG_SECONDS:
        return max(1, size // 2)
    return size
