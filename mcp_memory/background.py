"""Background work that survives whatever one round, or one database, does to it."""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Protocol, TypeVar

import anyio

from mcp_memory.errors import McpMemoryError

logger = logging.getLogger(__name__)


class _HasName(Protocol):
    @property
    def name(self) -> str: ...


Target = TypeVar("Target", bound=_HasName)


async def every(
    seconds: float,
    name: str,
    work: Callable[[Target], Awaitable[object]],
    targets: Callable[[], Iterable[Target]],
) -> None:
    """Do `work` for each target (an open database), then rest, until cancelled.

    `name` says in the log what waits when it fails: "word counts".
    """
    while True:
        for target in [*targets()]:
            await attempt(f"{name} of {target.name}", partial(work, target))
        await anyio.sleep(seconds)


async def attempt(name: str, work: Callable[[], Awaitable[object]]) -> bool:
    """Do it once; whether it ended well. What went wrong is logged, and the caller goes on."""
    try:
        await work()
    except McpMemoryError as exc:
        logger.warning("%s: %s; it is tried again", name, exc)
    except Exception:  # a worker must survive whatever one round does to it
        logger.exception("%s failed; it is tried again", name)
    else:
        return True
    return False
