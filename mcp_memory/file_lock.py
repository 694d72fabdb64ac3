"""Locks on files: the kernel forgets them with their holder, so that none is ever left behind.

`postgres/embedded/keeper.py` has a `_try_lock` of its own: it runs alone, without this package.
"""

import fcntl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.01
# A folder is locked for as long as a download takes.
_FOLDER_POLL_SECONDS = 0.2


def try_lock(descriptor: int, operation: int = fcntl.LOCK_EX) -> bool:
    """Whether the lock was free; it is ours now, until the descriptor is closed."""
    try:
        fcntl.flock(descriptor, operation | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def lock_within(
    descriptor: int,
    operation: int,
    seconds: float,
    *,
    poll_seconds: float = _POLL_SECONDS,
    while_waiting: Callable[[], None] = lambda: None,
) -> bool:
    """Whether the lock was had in time; polled, for a wait in the kernel has no bound."""
    deadline = time.monotonic() + seconds
    while not try_lock(descriptor, operation):
        if time.monotonic() >= deadline:
            return False
        while_waiting()
        time.sleep(poll_seconds)
    return True


@contextmanager
def folder_lock(
    file: Path, *, wait_seconds: float, while_waiting: Callable[[], None]
) -> Generator[None]:
    """Holds an exclusive lock on `file`, which stays behind: removing it would break the lock.

    Raises `TimeoutError` when another process keeps it for `wait_seconds`.
    """
    with file.open("ab") as stream:
        if not lock_within(
            stream.fileno(),
            fcntl.LOCK_EX,
            wait_seconds,
            poll_seconds=_FOLDER_POLL_SECONDS,
            while_waiting=while_waiting,
        ):
            raise TimeoutError(f"{file} has been locked for {wait_seconds:.0f} s")
        yield  # closing the file gives the lock back
