"""How long to wait before asking an endpoint again; pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_DELAY_SECONDS = 0.25
MAX_DELAY_SECONDS = 8.0
TOO_MANY_REQUESTS = 429


def may_pass(status: int) -> bool:
    """Whether an HTTP status is worth another attempt."""
    return status == TOO_MANY_REQUESTS or status >= 500


def delay_seconds(attempt: int, *, jitter: float, retry_after: float | None) -> float:
    """Doubles with each attempt (from 1), spread over its upper half by `jitter` in [0, 1).

    What the endpoint asks for is a floor: it is never shortened here.
    """
    full = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(attempt - 1, 16))
    return max(full * (0.5 + jitter / 2), retry_after or 0.0)


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """A Retry-After header, in seconds or as a date; None where it says nothing usable."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return max(0.0, (aware - now).total_seconds())
    except (ValueError, OverflowError):
        return None
