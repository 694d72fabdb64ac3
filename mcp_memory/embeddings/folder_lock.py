"""One process at a time in a folder, by a lock that dies with its holder."""

import fcntl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.2


@contextmanager
def folder_lock(
    file: Path, *, wait_seconds: float, while_waiting: Callable[[], None]
) -> Generator[None]:
    """Holds an exclusive lock on `file`, which stays behind: removing it would break the lock.

    Raises `TimeoutError` when another process keeps it for `wait_seconds`.
    """
    with file.open("ab") as stream:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(stream.fileno()):
            if time.monotonic() >= deadline:
                raise TimeoutError(f"{file} has been locked for {wait_seconds:.0f} s")
            while_waiting()
            time.sleep(POLL_SECONDS)
        yield  # closing the file gives the lock back


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
