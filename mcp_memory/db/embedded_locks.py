"""Locks that the kernel forgets with their holder: who uses an embedded cluster, who keeps it."""

import os
import stat
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from mcp_memory.db.embedded_keeper import try_lock
from mcp_memory.errors import EmbeddedPostgresFailed

_POLL_SECONDS = 0.01


@contextmanager
def open_lock(folder: Path, name: str) -> Generator[int]:
    """That lock file, open but not locked, until the block ends."""
    descriptor = open_lock_file(folder, name)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_lock_file(folder: Path, name: str) -> int:
    """A descriptor of its own for that lock file, made when missing, given to the folder's owner.

    Root may work in a folder of another user: nothing is followed out of it.
    """
    folder_descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        owner = os.fstat(folder_descriptor)
        _refuse_foreign(owner, folder)
        descriptor = os.open(
            name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600, dir_fd=folder_descriptor
        )
    finally:
        os.close(folder_descriptor)
    if os.geteuid() == 0 and os.fstat(descriptor).st_uid != owner.st_uid:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    return descriptor


def _refuse_foreign(folder: os.stat_result, path: Path) -> None:
    if os.geteuid() not in (0, folder.st_uid) or stat.S_IMODE(folder.st_mode) & 0o022:
        raise EmbeddedPostgresFailed(
            f"{path} belongs to another user (id {folder.st_uid}) or others may write to it."
            " Set MCP_MEMORY_DATA_DIR to a folder of your own."
        )


def lock_within(descriptor: int, operation: int, seconds: float) -> bool:
    """Whether the lock was had in time; polled, for a wait in the kernel has no bound."""
    deadline = time.monotonic() + seconds
    while not try_lock(descriptor, operation):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
