"""How long a failed ring waits."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.memory.mail.wake.model import (
    BROKEN_AFTER,
    MAX_PAUSE_SECONDS,
    Outcome,
    pause_seconds,
)

FAILED = Outcome("HTTP 500")


def test_it_doubles_until_the_route_counts_as_broken() -> None:
    pauses = [pause_seconds(FAILED, each, first=1, jitter=1.0) for each in range(1, 10)]

    assert pauses == [1, 2, 4, 8, 16, 32, 64, MAX_PAUSE_SECONDS, MAX_PAUSE_SECONDS]
    assert BROKEN_AFTER == 8


def test_a_refusal_waits_for_a_person() -> None:
    refused = Outcome("HTTP 401", is_refusal=True)

    assert pause_seconds(refused, 1, first=1, jitter=1.0) == 60
    assert pause_seconds(refused, 7, first=1, jitter=1.0) == 64


@given(
    st.integers(1, 10_000),
    st.floats(0, 1, exclude_max=True),
    st.floats(0.001, 3600),
    st.none() | st.floats(0, 1e12),
)
def test_what_the_endpoint_asks_for_is_kept_up_to_a_day(
    failures: int, jitter: float, first: float, asked: float | None
) -> None:
    attempt = Outcome("HTTP 429", retry_after_seconds=asked)

    pause = pause_seconds(attempt, failures, first=first, jitter=jitter)

    assert min(asked or 0, 86_400) <= pause <= max(min(asked or 0, 86_400), 3600)
