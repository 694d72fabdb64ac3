"""What a query asks for besides its words: a time, a person, a period."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from mcp_memory.text.terms import lexemes, query_lexemes
from mcp_memory.text.time_marks import question_marks
from mcp_memory.text.times import readings

_ASKS_WHEN = re.compile(
    r"\bwhen\b|\bwhat (date|day|month|year|time)\b|\bhow long ago\b"
    r"|\bwhich (day|month|year|date|week)\b|\bhow (long|many (days|weeks|months|years))\b",
    re.IGNORECASE,
)
_ASKS_YOU = re.compile(r"(?<!can )(?<!could )(?<!would )(?<!will )\byou(r)?\b", re.IGNORECASE)
_MONTH_NAMES = (
    "january february march april may june july august september october november december"
)
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES.split(), start=1)}
_DAY_NAMES = "monday tuesday wednesday thursday friday saturday sunday"
_DAYS = {name: number for number, name in enumerate(_DAY_NAMES.split())}
# Months that are words too count only when they are written like names.
_AMBIGUOUS = ("may", "march")
_CAPITAL_MONTH = re.compile(r"\b(May|March)\b")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_DAY_OF_MONTH = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)? (?:of )?[A-Z][a-z]+|[A-Z][a-z]+ (\d{1,2})\b"
)
_AGO = re.compile(
    r"\b(\d+|a|an|one|two|three|four|five|six)\s+(day|week|month|year)s?\s+ago\b", re.IGNORECASE
)
_LAST_DAY = re.compile(
    r"\b(?:last|on|this past)\s+(monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b",
    re.IGNORECASE,
)
_NUMBERS = {"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6}
_UNIT_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}


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
    times = readings(text, now.astimezone(zone).date())
    return Question(
        text=text,
        lexemes=query_lexemes(text),
        period=_period(text, now.astimezone(zone)),
        marks=question_marks([each.span for each in times]),
        time_words=frozenset(
            lexeme for each in times for lexeme in lexemes(text[each.start : each.end])
        ),
        asks_when=bool(_ASKS_WHEN.search(text)),
        asks_you=bool(_ASKS_YOU.search(text)),
    )


def _period(text: str, now: datetime) -> Period:
    words = re.findall(r"[a-z]+", text.lower())
    months = tuple(
        _MONTHS[word]
        for word in dict.fromkeys(words)
        if word in _MONTHS and (word not in _AMBIGUOUS or _CAPITAL_MONTH.search(text))
    )
    years = tuple(int(year) for year in _YEAR.findall(text))
    return Period(months, years, _named_day(text, months, years, now) or _relative(text, now))


def _named_day(
    text: str, months: Sequence[int], years: Sequence[int], now: datetime
) -> datetime | None:
    """The day of a month that stands in the query, in the named year or else the present one."""
    match = _DAY_OF_MONTH.search(text)
    if match is None or not months:
        return None
    try:
        year = years[0] if years else now.year
        return datetime(year, months[0], int(match[1] or match[2]), 12, tzinfo=now.tzinfo)
    except ValueError:
        return None


def _relative(text: str, now: datetime) -> datetime | None:
    """`yesterday`, `last Tuesday`, `two weeks ago`, as noon of that day."""
    noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
    lowered = text.lower()
    if (match := _AGO.search(lowered)) is not None:
        number = _NUMBERS.get(match[1]) or int(match[1])
        return _before(noon, number * _UNIT_DAYS[match[2]])
    if (match := _LAST_DAY.search(lowered)) is not None:
        return _before(noon, (noon.weekday() - _DAYS[match[1]] - 1) % 7 + 1)
    known = {"today": 0, "yesterday": 1, "last week": 7, "last month": 30, "last year": 365}
    days = next((known[phrase] for phrase in known if phrase in lowered), None)
    return None if days is None else _before(noon, days)


def _before(instant: datetime, days: int) -> datetime | None:
    try:
        return instant - timedelta(days=days)
    except OverflowError:
        return None
