"""Times as lexemes: a text is found by the days it speaks of as it is by its words.

`~on:2026-11-17` marks a day, `~in:2026-11` its month; no word begins with `~`. The day a text was
told on is among its days.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta

from mcp_memory.text.times.reader import times_in
from mcp_memory.text.times.spans import Span

# A question asks for few days or a few months; what is longer is no help in finding anything.
_MAX_DAYS = 10
_MAX_MONTHS = 12
_MAX_WANTED = 16
# `in March`, `on May 7` of no year: of the last so many.
_YEARS_BACK = 5


def marks_of(text: str, told: date, also: Iterable[date] = ()) -> list[str]:
    """What a text is indexed by: the day it was told on, and every day and month it speaks of.

    `also` are further days that it is of.
    """
    days = (Span(day, day) for day in (told, *also))
    spans = [*days, *times_in(text, told)]
    return list(dict.fromkeys(mark for span in spans for mark in _marks(span)))


def _marks(span: Span) -> Iterator[str]:
    days = (span.last - span.first).days + 1
    if days <= _MAX_DAYS:
        yield from map(_day, _days(span))
    if days <= 31 * _MAX_MONTHS:
        yield from _months(span)


def question_marks(spans: Sequence[Span]) -> list[str]:
    """What a question that names these times looks for, at most 16 marks; of years, nothing."""
    return list(dict.fromkeys(mark for span in spans for mark in _wanted(span)))[:_MAX_WANTED]


def _wanted(span: Span) -> Iterator[str]:
    """The days of a short span, else its months; of no year, those of the last years."""
    if (span.last - span.first).days >= 31 * _MAX_MONTHS:
        return
    for each in _in_years(span) if span.every_year else (span,):
        is_short = (each.last - each.first).days < _MAX_DAYS
        yield from map(_day, _days(each)) if is_short else _months(each)


def _in_years(span: Span) -> Iterator[Span]:
    """The same days in the last years, as far as they exist."""
    for back in range(_YEARS_BACK + 1):
        try:
            first = span.first.replace(year=span.first.year - back)
            yield Span(first, first + (span.last - span.first))
        except ValueError:
            continue


def _days(span: Span) -> Iterable[date]:
    return (span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1))


def _day(day: date) -> str:
    return f"~on:{day.isoformat()}"


def _months(span: Span) -> Iterator[str]:
    first, last = (each.year * 12 + each.month - 1 for each in (span.first, span.last))
    for month in range(first, last + 1):
        yield f"~in:{month // 12:04}-{month % 12 + 1:02}"
