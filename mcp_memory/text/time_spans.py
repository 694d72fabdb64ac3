"""Spans of days, reckoned from the day of a text."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta


@dataclass(frozen=True, slots=True)
class Span:
    """From the first day to the last, both included. Without a year it comes back every year."""

    first: date
    last: date
    every_year: bool = False


def month_span(
    today: date, month: int, day: int | None, year: int | None, way: int = 0
) -> Span | None:
    """The day of the month, or the whole month; None where there is none such.

    Of no year it is the one nearest to `today`; the nearest before it where `way` is -1, after it
    where it is 1.
    """
    if not 1 <= month <= 12:
        return None
    years = [year] if year else [today.year - 1, today.year, today.year + 1]
    spans = [span for each in years if (span := _of_month(each, month, day)) is not None]
    if way:
        spans = [each for each in spans if (each.first - today).days * way > 0]
    if not spans:
        return None
    near = min(spans, key=lambda each: abs(each.first - today))
    return near if year or way else Span(near.first, near.last, every_year=True)


def _of_month(year: int, month: int, day: int | None) -> Span | None:
    days = calendar.monthrange(year, month)[1]
    if day is None:
        return Span(date(year, month, 1), date(year, month, days))
    return Span(date(year, month, day), date(year, month, day)) if 1 <= day <= days else None


def year_span(year: int) -> Span:
    """The whole year."""
    return Span(date(year, 1, 1), date(year, 12, 31))


def shift(today: date, unit: str, amount: int) -> Span | None:
    """The day, week (from Monday), month or year so many after the one of `today`, if any."""
    try:
        return _shift(today, unit, amount)
    except (ValueError, OverflowError):
        return None


def _shift(today: date, unit: str, amount: int) -> Span:
    if unit == "day":
        day = today + timedelta(days=amount)
        return Span(day, day)
    if unit == "week":
        monday = today + timedelta(days=7 * amount - today.weekday())
        return Span(monday, monday + timedelta(days=6))
    if unit == "month":
        years, month = divmod(today.year * 12 + today.month - 1 + amount, 12)
        return Span(
            date(years, month + 1, 1),
            date(years, month + 1, calendar.monthrange(years, month + 1)[1]),
        )
    return year_span(today.year + amount)
