"""How long an attempt that failed waits; pure."""

from mcp_memory.backoff import delay_seconds
from mcp_memory.messaging.wake.models import Outcome

MAX_PAUSE_SECONDS = 900.0
REFUSED_PAUSE_SECONDS = 60.0
MAX_RETRY_AFTER_SECONDS = 86_400.0
# From here on the route counts as broken: single attempts, a quarter of an hour apart.
BROKEN_AFTER = 8


def pause_seconds(outcome: Outcome, failures: int, *, first: float, jitter: float) -> float:
    """Doubles with each failure (from 1), spread over its upper half by `jitter` in [0, 1).

    What the endpoint asks for is a floor, up to a day. A refusal is not repeated soon: whoever
    refuses needs a person first. A broken route is tried at the longest pause only.
    """
    full = delay_seconds(failures, first=first, longest=MAX_PAUSE_SECONDS)
    if failures >= BROKEN_AFTER:
        full = MAX_PAUSE_SECONDS
    elif outcome.is_refusal:
        full = max(full, min(REFUSED_PAUSE_SECONDS, first * REFUSED_PAUSE_SECONDS))
    requested = min(outcome.retry_after_seconds or 0.0, MAX_RETRY_AFTER_SECONDS)
    return delay_seconds(1, first=full, longest=full, jitter=jitter, at_least=requested)
