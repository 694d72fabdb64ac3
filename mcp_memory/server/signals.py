"""What a process over standard input and output does when it is asked to stop."""

import logging
import signal
from collections.abc import Callable

import anyio

logger = logging.getLogger(__name__)


async def at_signal(stop: Callable[[], None]) -> None:
    """Call `stop` at the first SIGTERM or SIGINT."""
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for received in signals:
            logger.info("stopping: %s", received.name)
            stop()
            return
