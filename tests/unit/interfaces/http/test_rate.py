"""The bucket of each key, on a clock that the test turns."""

import pytest

from mcp_memory.interfaces.http.traffic import RateLimit


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_whole_minutes_worth_may_come_at_once_and_then_it_refills() -> None:
    clock = Clock()
    limit = RateLimit(60, clock)
    assert [limit.wait_seconds("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait_seconds("a") == pytest.approx(1.0)
    clock.now = 0.5
    assert limit.wait_seconds("a") == pytest.approx(0.5)
    clock.now = 1.0
    assert limit.wait_seconds("a") == 0.0
    assert limit.wait_seconds("a") > 0


def test_one_key_does_not_use_up_anothers() -> None:
    limit = RateLimit(1, Clock())
    assert [limit.wait_seconds(key) for key in ("a", "b")] == [0.0, 0.0]
    assert limit.wait_seconds("a") > 0


def test_a_bucket_never_holds_more_than_a_minute() -> None:
    clock = Clock()
    limit = RateLimit(2, clock)
    limit.wait_seconds("a")
    clock.now = 3600.0
    assert [limit.wait_seconds("a") > 0 for _ in range(3)] == [False, False, True]


def test_zero_is_no_limit() -> None:
    limit = RateLimit(0, Clock())
    assert {limit.wait_seconds("a") for _ in range(1000)} == {0.0}
