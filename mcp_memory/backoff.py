"""How long to wait before something is tried again; pure."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

TOO_MANY_REQUESTS = 429
# 2 to this power is beyond every pause anybody asks for, and still a float.
_MAX_DOUBLINGS = 30


def delay_seconds(
    failures: int, *, first: float, longest: float, jitter: float = 1.0, at_least: float = 0.0
) -> float:
    """Doubles with each failure (from 1) from `first` to `longest`, never below `at_least`.

    `jitter` in [0, 1] spreads it over its upper half, so that many who failed at one instant do
    not all come back at once.
    """
    full = min(longest, first * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
    return max(full * (0.5 + jitter / 2), at_least)


class Backoff:
    """The pauses of a loop: each longer than the one before, until something works."""

    def __init__(self, first: float, longest: float) -> None:
        self._first, self._longest = first, longest
        self._failures = 0

    def next_seconds(self) -> float:
        """The pause after one more failure."""
        self._failures += 1
        return delay_seconds(self._failures, first=self._first, longest=self._longest)

    def reset(self) -> None:
        """Something worked: the next failure counts as the first."""
        self._failures = 0


def may_pass(status: int) -> bool:
    """Whether an HTTP status is worth another attempt."""
    return status == TOO_MANY_REQUESTS or status >= 500


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
