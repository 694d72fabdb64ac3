"""Logging of a server process: everything to stderr, since stdout may carry the protocol."""

import logging
import signal
import sys
from collections.abc import Callable

import anyio


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


logger = logging.getLogger(__name__)


async def at_signal(stop: Callable[[], None]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for received in signals:
            logger.info("stopping: %s", received.name)
            stop()
            return
