"""How many requests each key may make: a bucket of them, refilled evenly."""

from collections.abc import Callable


class RateLimit:
    """Up to `per_minute` requests at once, and as many each minute; 0 is no limit.

    It holds one bucket for each key that proved itself in this process.
    """

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._capacity, self._clock = float(per_minute), clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_seconds(self, key_id: str) -> float:
        """0 when the request may go on, which counts it; else how long until one may."""
        if not self._capacity:
            return 0.0
        now = self._clock()
        left, seen_at = self._buckets.get(key_id, (self._capacity, now))
        left = min(self._capacity, left + (now - seen_at) * self._capacity / 60)
        granted = left >= 1
        self._buckets[key_id] = (left - 1 if granted else left, now)
        return 0.0 if granted else (1 - left) * 60 / self._capacity
