"""Instants as people and agents write them: ISO dates and datetimes, or a span before now."""

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from mcp_memory.errors import InvalidInput

_UNITS = {
    "m": timedelta(minutes=1),
    "min": timedelta(minutes=1),
    "minute": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "hour": timedelta(hours=1),
    "d": timedelta(days=1),
    "day": timedelta(days=1),
    "w": timedelta(weeks=1),
    "week": timedelta(weeks=1),
    "month": timedelta(days=30),
    "year": timedelta(days=365),
}
_SPAN = re.compile(r"(\d{1,5})\s*([a-z]+?)s?(?:\s+ago)?", re.IGNORECASE)
_SECONDS = re.compile(r"(\d{1,10}(?:\.\d{1,6})?)\s*(?:s|sec|seconds?)?", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def parse_instant(
    parameter: str, text: str, *, now: datetime, zone: tzinfo, day_end: bool = False
) -> datetime:
    """The instant in UTC; `InvalidInput` naming the parameter when it cannot be read.

    `24h`, `7d` and `2 weeks` lie before `now`. A naive one is in `zone`. A date alone is its first
    instant, or with `day_end` the first instant after it.
    """
    if (instant := _relative(text.strip(), now)) is not None:
        return instant
    try:
        return _absolute(text.strip(), zone, day_end=day_end)
    except (ValueError, OverflowError) as exc:
        raise InvalidInput(
            parameter,
            f"{text[:60]!r} is not a date;"
            " use 2026-03-01, 2026-03-01T09:00:00+01:00, 7d or 2 weeks",
        ) from exc


def parse_span(parameter: str, text: str) -> timedelta:
    """How long: `30m`, `24h`, `2 weeks`, or a number of seconds; `InvalidInput` otherwise."""
    if match := _SECONDS.fullmatch(text.strip()):
        return timedelta(seconds=float(match[1]))
    match = _SPAN.fullmatch(text.strip())
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise InvalidInput(
            parameter, f"{text[:60]!r} is not a time span; use 90s, 30m, 24h, 7d or 2 weeks"
        )
    return int(match[1]) * unit


def _relative(text: str, now: datetime) -> datetime | None:
    if text.lower() == "now":
        return now
    match = _SPAN.fullmatch(text)
    unit = _UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        return None
    try:
        return now - int(match[1]) * unit
    except OverflowError:
        return datetime(1, 1, 2, tzinfo=UTC)


def _absolute(text: str, zone: tzinfo, *, day_end: bool) -> datetime:
    if _DATE.fullmatch(text):
        day = date.fromisoformat(text) + timedelta(days=1 if day_end else 0)
        return datetime.combine(day, time.min, zone).astimezone(UTC)
    instant = datetime.fromisoformat(text)
    return (instant if instant.tzinfo else instant.replace(tzinfo=zone)).astimezone(UTC)
