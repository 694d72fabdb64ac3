"""Making what was done to a folder outlive a loss of power."""

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Have the names of the files in it written to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
