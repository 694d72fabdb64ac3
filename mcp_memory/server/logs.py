"""Logging of a server process: everything to stderr, since stdout may carry the protocol."""

import logging
import sys


def log_to_stderr(level: str) -> None:
    """Configure the root logger once; the SDK would otherwise do it its own way."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    # They name each address in full, and one may hold a secret.
    for name in ("httpx2", "httpcore2"):
        logging.getLogger(name).setLevel(logging.WARNING)
