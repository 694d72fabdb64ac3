"""What a query is read to ask for."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from mcp_memory.search.query import Period, read_question

# A Friday.
NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)


def period(text: str) -> Period:
    return read_question(text, now=NOW, zone=UTC).period


@pytest.mark.parametrize(
    ("text", "months", "years"),
    [
        ("What did she paint in May 2023?", (5,), (2023,)),
        ("who may come along", (), ()),
        ("the march of time", (), ()),
        ("trips between june and august", (6, 8), ()),
        ("what changed in 1999", (), (1999,)),
        ("the 1999 trip in mid-August", (8,), (1999,)),
        ("What did Jan say of the Mars mission?", (), ()),
        ("between May 2023 and July 2023", (5, 6, 7), (2023,)),
        ("2023-05-07", (5,), (2023,)),
        ("Was haben wir im Mai 2023 gemalt?", (5,), (2023,)),
        ("quels voyages en juin", (6,), ()),
    ],
)
def test_months_and_years_are_read_but_words_are_not(
    text: str, months: tuple[int, ...], years: tuple[int, ...]
) -> None:
    assert (period(text).months, period(text).years) == (months, years)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("what happened yesterday?", (2026, 11, 19)),
        ("the meeting last Tuesday", (2026, 11, 17)),
        ("what we ate on Friday", (2026, 11, 13)),
        ("two weeks ago", (2026, 11, 6)),
        ("a month ago", (2026, 10, 21)),
        ("what was said on May 8, 2023", (2023, 5, 8)),
        ("the 3rd of July", (2026, 7, 3)),
        ("the 5th of March", (2026, 3, 5)),
        ("between August 11 and August 15, 2023", (2023, 8, 13)),
        ("last week", (2026, 11, 13)),
        ("last year", (2025, 11, 20)),
        ("Was war letzten Dienstag?", (2026, 11, 17)),
        ("gestern", (2026, 11, 19)),
        ("vor zwei Wochen", (2026, 11, 6)),
        ("am 7. Mai 2023", (2023, 5, 7)),
        ("la réunion de mardi dernier", (2026, 11, 17)),
    ],
)
def test_days_are_read_from_now(text: str, day: tuple[int, int, int]) -> None:
    around = period(text).around
    assert around is not None
    assert (around.year, around.month, around.day) == day


def test_a_relative_day_is_that_of_the_zone() -> None:
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    tokyo = read_question("yesterday", now=late, zone=ZoneInfo("Asia/Tokyo")).period.around
    assert tokyo is not None
    assert tokyo.date().isoformat() == "2026-11-20"
    named = read_question(
        "the 20th of November", now=late, zone=ZoneInfo("Asia/Tokyo")
    ).period.around
    assert named == tokyo


@pytest.mark.parametrize(
    "text", ["February 31st", "9999999 years ago", "99999 years ago", "this year", "this week"]
)
def test_impossible_days_and_times_that_go_on_are_no_days(text: str) -> None:
    assert period(text).around is None


@pytest.mark.parametrize(
    ("text", "asks_when", "asks_you"),
    [
        ("When did it start?", True, False),
        ("How long ago was that", True, False),
        ("What did you suggest?", False, True),
        ("Can you tell me what I said?", False, False),
    ],
)
def test_what_kind_of_answer_is_asked_for(text: str, asks_when: bool, asks_you: bool) -> None:
    question = read_question(text, now=NOW, zone=UTC)
    assert (question.asks_when, question.asks_you) == (asks_when, asks_you)
