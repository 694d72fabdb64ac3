"""Times in texts: which days are named, in which language, and what is no time at all."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.text.time_spans import Span
from mcp_memory.text.times import MAX_TIMES, marks_of, question_marks, times_in

FRIDAY = date(2026, 11, 20)


def day(year: int, month: int, number: int) -> Span:
    return Span(date(year, month, number), date(year, month, number))


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("What did I do last Tuesday?", day(2026, 11, 17)),
        ("on Tuesday we met", day(2026, 11, 17)),
        ("see you next Friday", day(2026, 11, 27)),
        ("that was yesterday", day(2026, 11, 19)),
        ("two weeks ago", day(2026, 11, 6)),
        ("in 10 days", day(2026, 11, 30)),
        ("the day before yesterday", day(2026, 11, 18)),
        ("last week", Span(date(2026, 11, 9), date(2026, 11, 15))),
        ("next month", Span(date(2026, 12, 1), date(2026, 12, 31))),
        ("3 years ago", Span(date(2023, 1, 1), date(2023, 12, 31))),
        ("in 2023", Span(date(2023, 1, 1), date(2023, 12, 31))),
        ("7 May 2023", day(2023, 5, 7)),
        ("the 7th of May 2024", day(2024, 5, 7)),
        ("May 3rd, 2024", day(2024, 5, 3)),
        ("June 2022", Span(date(2022, 6, 1), date(2022, 6, 30))),
        ("last March", Span(date(2026, 3, 1), date(2026, 3, 31))),
        ("on 2023-05-01", day(2023, 5, 1)),
        ("2023-05-01 to 2023-05-07", Span(date(2023, 5, 1), date(2023, 5, 7))),
        ("May 7 - May 9, 2024", Span(date(2024, 5, 7), date(2024, 5, 9))),
        ("from Monday to Friday", Span(date(2026, 11, 16), date(2026, 11, 20))),
        ("vor zwei Wochen", day(2026, 11, 6)),
        ("letzten Dienstag", day(2026, 11, 17)),
        ("mardi dernier", day(2026, 11, 17)),
        ("il y a deux semaines", day(2026, 11, 6)),
        ("la semaine dernière", Span(date(2026, 11, 9), date(2026, 11, 15))),
        ("el martes pasado", day(2026, 11, 17)),
        ("hace dos semanas", day(2026, 11, 6)),
        ("due settimane fa", day(2026, 11, 6)),
        ("вчера", day(2026, 11, 19)),
        ("в прошлый вторник", day(2026, 11, 17)),
        ("две недели назад", day(2026, 11, 6)),
        ("昨天我们见面", day(2026, 11, 19)),
        ("2023年5月7日", day(2023, 5, 7)),
        ("先週", Span(date(2026, 11, 9), date(2026, 11, 15))),
        ("어제는 만났다", day(2026, 11, 19)),
        ("geçen hafta", Span(date(2026, 11, 9), date(2026, 11, 15))),
    ],
)
def test_a_named_time_is_read_from_the_day_it_was_told(text: str, span: Span) -> None:
    assert times_in(text, FRIDAY) == [span]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("in March", date(2027, 3, 1)),
        ("May 7", date(2027, 5, 7)),
        ("am 3. Oktober", date(2026, 10, 3)),
    ],
)
def test_a_day_without_a_year_comes_back_every_year(text: str, first: date) -> None:
    (span,) = times_in(text, FRIDAY)
    assert (span.first, span.every_year) == (first, True)


@pytest.mark.parametrize(
    "text",
    [
        "may I go",
        "the march of time",
        "set 10 goals",
        "a second ago it broke",
        "2026-11-31",
        "February 30, 2024",
        "2000 people, 1999 dogs",
        "die Sonne und der Mond",
        "so do I",
        "All the work done till date is lost",
        "the price rises once in a year",
        "Black Friday deals, and Sunday school",
        "here today, gone tomorrow",
        "ich laufe am Morgen",
        "Guten Morgen!",
        "corre por la mañana",
        "a segunda parte do filme",
        "",
    ],
)
def test_what_only_looks_like_a_time_is_none(text: str) -> None:
    assert times_in(text, FRIDAY) == []


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("till Tuesday, to date nothing", day(2026, 11, 17)),
        ("heute morgen kam sie", day(2026, 11, 20)),
        ("ich komme morgen", day(2026, 11, 21)),
        ("mañana por la mañana", day(2026, 11, 21)),
        ("a black cat came on Friday", day(2026, 11, 13)),
        ("we end till. Date tomorrow", day(2026, 11, 21)),
        ("na segunda fui ao cinema", day(2026, 11, 16)),
    ],
)
def test_a_time_word_outside_its_set_phrase_stays_a_time(text: str, span: Span) -> None:
    assert times_in(text, FRIDAY) == [span]


def test_a_range_needs_between_before_an_and() -> None:
    between = times_in("between June 3 2024 and June 9 2024", FRIDAY)
    both = times_in("June 3 2024 and June 9 2024", FRIDAY)
    assert between == [Span(date(2024, 6, 3), date(2024, 6, 9))]
    assert both == [day(2024, 6, 3), day(2024, 6, 9)]


@given(
    st.lists(
        st.sampled_from(
            [
                "last",
                "next",
                "May",
                "7",
                "31",
                "2024",
                "Tuesday",
                "ago",
                "two",
                "weeks",
                "in",
                "of",
                "the",
                "-",
                "to",
                ",",
                ".",
                "vor",
                "Montag",
                "hier",
                "9999",
                "昨天",
                "5月",
                "yesterday",
                "99999999",
                "year",
                "month",
                "0",
            ]
        ),
        max_size=12,
    ),
    st.dates(),
)
def test_any_words_on_any_day_give_spans_that_begin_before_they_end(
    words: list[str], told: date
) -> None:
    spans = times_in(" ".join(words), told)
    assert all(span.first <= span.last for span in spans)
    assert len(spans) <= MAX_TIMES
    assert len(question_marks(spans)) <= 16


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    assert all(mark.startswith("~") for mark in marks_of(text, FRIDAY))


def test_a_text_is_marked_with_its_own_day_and_those_it_speaks_of() -> None:
    assert marks_of("We met yesterday.", FRIDAY) == [
        "~on:2026-11-20",
        "~in:2026-11",
        "~on:2026-11-19",
    ]


def test_a_question_looks_for_days_or_for_months() -> None:
    week = Span(FRIDAY, FRIDAY + timedelta(days=2))
    assert question_marks([week]) == ["~on:2026-11-20", "~on:2026-11-21", "~on:2026-11-22"]
    month = Span(date(2023, 5, 1), date(2023, 5, 31))
    assert question_marks([month]) == ["~in:2023-05"]


def test_a_month_of_no_year_is_looked_for_in_the_last_years() -> None:
    march = Span(date(2026, 3, 1), date(2026, 3, 31), every_year=True)
    assert question_marks([march])[:3] == ["~in:2026-03", "~in:2025-03", "~in:2024-03"]


def test_a_question_about_years_looks_for_no_days() -> None:
    assert question_marks([Span(date(2020, 1, 1), date(2023, 12, 31))]) == []


@pytest.mark.timeout(30)
@pytest.mark.parametrize("length", [100_000, pytest.param(200_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("part", ["3月", "monday ", "from monday to ", "2026-01-02 "])
def test_a_page_of_nothing_but_times_is_read_in_linear_time(part: str, length: int) -> None:
    assert times_in(part * (length // len(part)), date(2026, 3, 1))
