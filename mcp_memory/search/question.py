"""What a query asks for besides its words: a time, a person, a period."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo

from mcp_memory.text.terms import lexemes, query_lexemes
from mcp_memory.text.times.marks import question_marks
from mcp_memory.text.times.reader import Reading, readings_of_question
from mcp_memory.text.times.spans import Span, month_span

_ASKS_WHEN = re.compile(
    r"\bwhen\b|\bwhat (date|day|month|year|time)\b|\bhow long ago\b"
    r"|\bwhich (day|month|year|date|week)\b|\bhow (long|many (days|weeks|months|years))\b",
    re.IGNORECASE,
)
_ASKS_YOU = re.compile(r"(?<!can )(?<!could )(?<!would )(?<!will )\byou(r)?\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Period:
    """A time the query names; each part may be open. `around` is an instant to be near to."""

    months: tuple[int, ...] = ()
    years: tuple[int, ...] = ()
    around: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether the query names no time."""
        return not (self.months or self.years or self.around)


@dataclass(frozen=True, slots=True)
class Question:
    """A query, read: its lexemes without stop words, and what kind of answer it asks for.

    `marks` are the days and months it names, as texts are indexed by them; `time_words` those of
    its lexemes that name them.
    """

    text: str
    lexemes: list[str]
    period: Period
    marks: list[str]
    time_words: frozenset[str]
    asks_when: bool
    asks_you: bool


def read(text: str, *, now: datetime, zone: tzinfo) -> Question:
    """The question a query asks; relative times are seen from `now` in `zone`."""
    today = now.astimezone(zone).date()
    times = readings_of_question(text, today)
    # What stands alone tells the period, but is not searched for: `May` is a name too.
    searched = [reading for reading in times if reading.said != "name"]
    return Question(
        text=text,
        lexemes=query_lexemes(text),
        period=_period(times, today, zone),
        marks=question_marks([reading.span for reading in searched]),
        time_words=frozenset(
            lexeme for reading in searched for lexeme in lexemes(text[reading.start : reading.end])
        ),
        asks_when=bool(_ASKS_WHEN.search(text)),
        asks_you=bool(_ASKS_YOU.search(text)),
    )


def _period(times: Sequence[Reading], today: date, zone: tzinfo) -> Period:
    dates = [reading.span for reading in times if reading.said != "distance"]
    years = (year for span in dates if not span.every_year for year in _years(span))
    months = (month for span in dates for month in _months(span))
    day = _day(times, today)
    return Period(
        tuple(dict.fromkeys(months)),
        tuple(dict.fromkeys(years)),
        datetime.combine(day, time(12), zone) if day else None,
    )


def _years(span: Span) -> Iterable[int]:
    return range(span.first.year, span.last.year + 1)


def _months(span: Span) -> list[int]:
    """The months that the span touches; none where it touches all."""
    first, last = (day.year * 12 + day.month - 1 for day in (span.first, span.last))
    return [] if last - first > 10 else [month % 12 + 1 for month in range(first, last + 1)]


def _day(times: Sequence[Reading], today: date) -> date | None:
    """The day of a month that the query names, of this year if it says none, or the middle of a
    few; else one that it tells by its distance."""
    for span in (reading.span for reading in times if reading.said == "date"):
        days = (span.last - span.first).days + 1
        if days < 28:
            year = today.year if span.every_year else span.first.year
            named = month_span(today, span.first.month, span.first.day, year)
            return named.first + timedelta(days=days // 2) if named else None
    distances = (reading.span for reading in times if reading.said == "distance")
    return next((_day_of(span, today) for span in distances), None)


def _day_of(span: Span, today: date) -> date | None:
    """The day itself; of a longer time the day so many weeks, months of 30 or years of 365 days
    from today, or its middle. Of a time that is not over, none."""
    days = (span.last - span.first).days + 1
    if days == 1:
        return span.first
    if days == 7:
        back = (today - span.first).days // 7 * 7
    elif 28 <= days <= 31:
        back = 30 * ((today.year - span.first.year) * 12 + today.month - span.first.month)
    elif days >= 365:
        back = 365 * (today.year - span.first.year)
    else:
        return span.first + timedelta(days=days // 2)
    return today - timedelta(days=back) if back else None
