"""Quiet hours: within a day, over midnight, and what is none."""

from datetime import datetime

import pytest

from mcp_memory.config.values import check_quiet_hours, is_quiet


@pytest.mark.parametrize(
    ("hours", "clock", "expected"),
    [
        ("", "03:00", False),
        ("22:00-07:00", "21:59", False),
        ("22:00-07:00", "22:00", True),
        ("22:00-07:00", "00:00", True),
        ("22:00-07:00", "06:59", True),
        ("22:00-07:00", "07:00", False),
        ("12:30-13:00", "12:29", False),
        ("12:30-13:00", "12:30", True),
        ("12:30-13:00", "13:00", False),
    ],
)
def test_it_is_quiet(hours: str, clock: str, *, expected: bool) -> None:
    assert is_quiet(hours, datetime.fromisoformat(f"2026-03-01T{clock}")) is expected


@pytest.mark.parametrize("text", ["22-7", "24:00-07:00", "22:00-22:00", "22:00", "x", "22:00-7:00"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="22:00-07:00"):
        check_quiet_hours(text)
