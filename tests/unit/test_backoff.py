"""Waiting between attempts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.backoff import Backoff, delay_seconds, may_pass, retry_after_seconds

NOW = datetime(2026, 1, 5, 12, 0, 0, tzinfo=UTC)


def test_the_delay_doubles_up_to_its_bound():
    delays = [delay_seconds(each, first=0.25, longest=8, jitter=0.0) for each in range(1, 9)]

    assert delays == [0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 4.0, 4.0]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_delay_is_positive_and_bounded(failures: int, jitter: float):
    assert 0 < delay_seconds(failures, first=0.25, longest=8, jitter=jitter) <= 8


def test_what_the_endpoint_asks_for_is_never_shortened():
    assert delay_seconds(1, first=0.25, longest=8, jitter=0.5, at_least=60.0) == 60.0


def test_what_worked_begins_the_pauses_of_a_loop_again():
    backoff = Backoff(1, 4)
    pauses = [backoff.next_seconds() for _ in range(4)]
    backoff.reset()

    assert [*pauses, backoff.next_seconds()] == [1, 2, 4, 4, 1]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 0 ", 0.0),
        ("Mon, 05 Jan 2026 12:00:30 GMT", 30.0),
        ("Mon, 05 Jan 2026 11:00:00 GMT", 0.0),
        ("-5", None),
        ("soon", None),
        ("9" * 400, float("inf")),
        ("Mon, 05 Jan 99999999999999999999 12:00:00 GMT", None),
        ("Mon, 05 Jan 2026 12:00:00 +99999999999999", None),
        ("²", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date(header: str | None, seconds: float | None):
    assert retry_after_seconds(header, NOW) == seconds


def test_only_overload_and_server_failures_may_pass():
    assert [status for status in (400, 401, 404, 413, 429, 500, 503) if may_pass(status)] == [
        429,
        500,
        503,
    ]
