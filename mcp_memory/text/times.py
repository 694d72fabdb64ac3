"""The days, weeks, months and years that a text speaks of, seen from the day it was written."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, pairwise
from typing import Literal

from mcp_memory.text.time_spans import Span, month_span, shift, year_span
from mcp_memory.text.time_words import (
    AND,
    BETWEEN,
    IN,
    LAST,
    NEXT,
    NUMBER,
    ORDINALS,
    SMALL,
    SPACELESS,
    TO,
    WORDS_TOO,
    DateWords,
    Token,
    adjoins,
    date_words,
    detect_languages,
    likely_languages,
    timeless_words,
    tokens_of,
)

# A page of a calendar is not an account of each of its days.
MAX_TIMES = 24

_FOUR = r"(?P<year>(?:19|20)\d\d)"
_ISO = re.compile(rf"(?<![\w-]){_FOUR}-(?P<month>\d\d)(?:-(?P<day>\d\d))?(?![\w-])")
_HAN = re.compile(
    rf"(?:{_FOUR}\s*[年년]\s*)?(?<!\d)(?P<month>\d{{1,2}})[月월](?:\s*(?P<day>\d{{1,2}})[日号일])?"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_DASH = re.compile(r"\s*[-\u2013\u2014至到~]\s*")


@dataclass(frozen=True, slots=True)
class Reading:
    """A time, where in the text it stands, and how it is said.

    `date`: by its name in the calendar. `distance`: by how far it lies from the day of the text.
    `name`: a month or a year alone, which is a time only where one is asked for.
    """

    start: int
    end: int
    span: Span
    said: Literal["date", "distance", "name"] = "date"


def times_in(text: str, today: date) -> list[Span]:
    """The distinct times the text names, in its order, at most `MAX_TIMES`; see `readings`."""
    return list(dict.fromkeys(each.span for each in readings(text, today)))[:MAX_TIMES]


def readings(text: str, today: date) -> list[Reading]:
    """Every time the text names, in its order, with its place.

    `today` is the day to count from: `last Tuesday` lies before it, `May 7` is the one nearest to
    it. Two that are joined (`from Monday to Friday`) are one span. Fifteen languages.
    """
    tokens = tokens_of(text)
    found = _apart(_all_readings(text, tokens, today))
    return list(_join(text, sorted(found, key=lambda reading: reading.start)))


def readings_of_question(text: str, today: date) -> list[Reading]:
    """The same, then the months and years that the question names alone: `our June trip`."""
    tokens = tokens_of(text)
    times = readings(text, today)
    apart = _apart(chain(times, _names(text, tokens, today)))
    return sorted(apart, key=lambda reading: reading.start)


def _apart(readings: Iterable[Reading]) -> Iterator[Reading]:
    """The readings that overlap none before them."""
    # Sorted, and apart from one another: only the two beside a place can reach into it.
    taken: list[tuple[int, int]] = []
    for reading in readings:
        index = bisect_left(taken, (reading.start, reading.end))
        is_free_before = index == 0 or taken[index - 1][1] <= reading.start
        is_free_after = index == len(taken) or reading.end <= taken[index][0]
        if is_free_before and is_free_after:
            taken.insert(index, (reading.start, reading.end))
            yield reading


def _all_readings(text: str, tokens: Sequence[Token], today: date) -> Iterator[Reading]:
    """What any of the likely languages reads, the numeric dates first."""
    yield from _numeric(text, today)
    words = {word for word, _, _ in tokens}
    timeless = frozenset(timeless_words(text, tokens))
    for language in likely_languages(text, words):
        known = date_words(language)
        if language in SPACELESS:
            yield from _spaceless(text, known, today)
        elif not words.isdisjoint(known.vocabulary):
            yield from _Page(text, tokens, known, today, timeless).readings()
    yield from _years(tokens)


def _numeric(text: str, today: date) -> Iterator[Reading]:
    for pattern in (_ISO, _HAN):
        for match in pattern.finditer(text):
            day, year = (int(match[part]) if match[part] else None for part in ("day", "year"))
            span = month_span(today, int(match["month"]), day, year)
            if span is not None:
                yield Reading(*match.span(), span)


def _years(tokens: Sequence[Token]) -> Iterator[Reading]:
    for (before, _, _), (word, start, end) in pairwise(tokens):
        if before in IN and _YEAR.fullmatch(word):
            yield Reading(start, end, year_span(int(word)))


def _names(text: str, tokens: Sequence[Token], today: date) -> Iterator[Reading]:
    """The months and years that stand alone, in a language that the text is surely in."""
    languages = detect_languages({word for word, _, _ in tokens}) or ["en"]
    names = chain.from_iterable(date_words(language).months.items() for language in languages)
    # Short forms are names of people too: `Jan`.
    months = {name: month for name, month in names if len(name) > 3 or name in WORDS_TOO}
    for word, start, end in tokens:
        if _YEAR.fullmatch(word):
            yield Reading(start, end, year_span(int(word)), "name")
            continue
        # `mid-August` is one word.
        name = word.rpartition("-")[2]
        if name in months and (name not in WORDS_TOO or text[end - len(name)].isupper()):
            span = month_span(today, months[name] + 1, None, None)
            if span is not None:
                yield Reading(start, end, span, "name")


def _spaceless(text: str, known: DateWords, today: date) -> Iterator[Reading]:
    for phrases in known.phrases.values():
        for words, (unit, amount) in phrases:
            said = "".join(words)
            index = text.find(said)
            if index >= 0 and NUMBER not in words:
                span = shift(today, unit, amount)
                if span is not None:
                    yield Reading(index, index + len(said), span, "distance")


@dataclass(frozen=True, slots=True)
class _Page:
    """A text in one language, read word by word.

    `timeless` are the indexes of the words that are no times, whatever they say elsewhere.
    """

    text: str
    tokens: Sequence[Token]
    known: DateWords
    today: date
    timeless: frozenset[int]

    def readings(self) -> Iterator[Reading]:
        for index, (word, _, _) in enumerate(self.tokens):
            if index in self.timeless:
                continue
            distance, day = self._phrase(index), None
            if distance is None and word in self.known.months:
                day = self._month(index, self.known.months[word] + 1)
            if distance is None and day is None and word in self.known.weekdays:
                distance = self._weekday(index, self.known.weekdays[word])
            if (match := distance or day) is not None:
                first, last, span = match
                said = "distance" if distance else "date"
                yield Reading(self.tokens[first][1], self.tokens[last][2], span, said)

    def _phrase(self, index: int) -> tuple[int, int, Span] | None:
        """A relative time that begins here, the longest one."""
        word = self.tokens[index][0]
        found = self.known.phrases.get(word, [])
        found = [*found, *self.known.phrases.get(NUMBER, [])] if self._number(index) else found
        for words, (unit, amount) in found:
            number = self._match(index, words)
            if number is not None:
                way = "day" if unit == "week" and NUMBER in words else unit
                times = 7 if way != unit else 1
                span = shift(self.today, way, amount * number * times)
                return None if span is None else (index, index + len(words) - 1, span)
        return None

    def _match(self, index: int, words: Sequence[str]) -> int | None:
        """The number in the phrase, 1 where it has none; None where it does not stand here."""
        number = 1
        for offset, word in enumerate(words):
            if index + offset >= len(self.tokens) or (offset and not self._adjoins(index + offset)):
                return None
            if word == NUMBER:
                counted = self._number(index + offset)
                if counted is None:
                    return None
                number = counted
            elif self.tokens[index + offset][0] != word:
                return None
        return number

    def _number(self, index: int) -> int | None:
        word = self.tokens[index][0]
        if word.isdecimal() and len(word) <= 3:
            return int(word)
        return self.known.numbers.get(word)

    def _month(self, index: int, month: int) -> tuple[int, int, Span] | None:
        """`7 May 2023`, `May 7`, `May 2023`, `in May`, `last May`; a bare `may` is a verb too."""
        first, last, way = self._with_way(index)
        day, first = self._day_before(first)
        if day is None:
            day, last = self._day_after(last)
        year, last = self._year_after(last)
        is_named = bool(day or year or way) or self._word(index - 1) in IN
        if not is_named:
            return None
        span = month_span(self.today, month, day, year, way)
        return None if span is None else (first, last, span)

    def _weekday(self, index: int, weekday: int) -> tuple[int, int, Span]:
        """The one before the day of the text, or with `next` the one after."""
        first, last, way = self._with_way(index)
        now = self.today.weekday()
        apart = (weekday - now - 1) % 7 + 1 if way > 0 else -((now - weekday - 1) % 7 + 1)
        day = self.today + timedelta(days=apart)
        return first, last, Span(day, day)

    def _with_way(self, index: int) -> tuple[int, int, int]:
        """The words with a `last` (-1) or `next` (1) before or after; 0 where there is none."""
        for beside in (index - 1, index + 1):
            word = self._word(beside) if self._adjoins(max(index, beside)) else ""
            way = -1 if word in LAST else 1 if word in NEXT else 0
            if way:
                return min(index, beside), max(index, beside), way
        return index, index, 0

    def _day_before(self, index: int) -> tuple[int | None, int]:
        before = index - 1
        while before >= 0 and self._word(before) in ORDINALS and self._adjoins(before + 1):
            before -= 1
        day = self._word(before)
        return (int(day), before) if _is_day(day) and self._adjoins(before + 1) else (None, index)

    def _day_after(self, index: int) -> tuple[int | None, int]:
        after = index + 2 if self._word(index + 1) == "the" else index + 1
        day = self._word(after)
        if not _is_day(day) or not self._adjoins(after):
            return None, index
        end = self.tokens[after][2]
        if self.text[end : end + 1] == ":":
            return None, index
        is_ordinal = self._word(after + 1) in ORDINALS and self.tokens[after + 1][1] == end
        return int(day), after + is_ordinal

    def _year_after(self, index: int) -> tuple[int | None, int]:
        after = index + 1
        if self._word(after) in ORDINALS and self._adjoins(after):
            after += 1
        is_year = _YEAR.fullmatch(self._word(after)) and self._adjoins(after)
        return (int(self._word(after)), after) if is_year else (None, index)

    def _word(self, index: int) -> str:
        return self.tokens[index][0] if 0 <= index < len(self.tokens) else ""

    def _adjoins(self, index: int) -> bool:
        return adjoins(self.text, self.tokens, index)


def _is_day(word: str) -> bool:
    return word.isdecimal() and len(word) <= 2 and 1 <= int(word) <= 31


def _join(text: str, readings: Sequence[Reading]) -> Iterator[Reading]:
    """The readings, two neighbours with nothing but `to` between them made one."""
    waiting: Reading | None = None
    for reading in readings:
        joined = _range(text, waiting, reading) if waiting is not None else None
        if waiting is not None and joined is None:
            yield waiting
        waiting = joined or reading
    if waiting is not None:
        yield waiting


def _range(text: str, one: Reading, other: Reading) -> Reading | None:
    """From the one to the other, where nothing but `to` stands between them."""
    if not _is_joined(text, one, other):
        return None
    first, last = one.span.first, other.span.last
    if one.span.every_year and not other.span.every_year:
        # `March to May 2023` says its year once.
        first = first.replace(year=last.year, day=min(first.day, 28))
    if timedelta(0) < first - last < timedelta(days=7):
        # Monday to Friday, said on a weekend or between them.
        last += timedelta(days=7)
    every_year = one.span.every_year and other.span.every_year
    if first >= last:
        return None
    said = "date" if "date" in (one.said, other.said) else "distance"
    return Reading(one.start, other.end, Span(first, last, every_year), said)


def _is_joined(text: str, one: Reading, other: Reading) -> bool:
    between = text[one.end : other.start]
    if _DASH.fullmatch(between):
        return True
    words = [word for word, _, _ in tokens_of(between) if word not in SMALL]
    if len(between) > 12 or len(words) != 1:
        return False
    if words[0] in AND:
        before = [word for word, _, _ in tokens_of(text[max(0, one.start - 16) : one.start])]
        return any(word in BETWEEN for word in before[-2:])
    return words[0] in TO


# A question asks for few days or a few months; what is longer is no help in finding anything.
_MAX_DAYS = 10
_MAX_MONTHS = 12
_MAX_WANTED = 16
# `in March`, `on May 7` of no year: of the last so many.
_YEARS_BACK = 5


def marks_of(text: str, today: date, also: Iterable[date] = ()) -> list[str]:
    """What a text is indexed by: the day of the text, and every day and month it speaks of.

    `also` are further days that it is of.
    """
    days = (Span(day, day) for day in (today, *also))
    spans = [*days, *times_in(text, today)]
    return list(dict.fromkeys(mark for span in spans for mark in _marks(span)))


def _marks(span: Span) -> Iterator[str]:
    days = (span.last - span.first).days + 1
    if days <= _MAX_DAYS:
        yield from map(_day, _days(span))
    if days <= 31 * _MAX_MONTHS:
        yield from _months(span)


def question_marks(spans: Sequence[Span]) -> list[str]:
    """What a question that names these times looks for, at most 16 marks; of years, nothing."""
    return list(dict.fromkeys(mark for span in spans for mark in _keep_wanted(span)))[:_MAX_WANTED]


def _keep_wanted(span: Span) -> Iterator[str]:
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
