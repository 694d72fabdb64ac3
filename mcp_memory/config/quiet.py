"""Hours of the day in which nobody is to be woken: `22:00-07:00`; pure."""

import re
from datetime import datetime, time

_SPAN = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})")


def checked_quiet_hours(text: str) -> str:
    """The text itself, empty for none; `ValueError` when it is not such a span."""
    if text:
        _ends(text)
    return text


def is_quiet(text: str, now: datetime) -> bool:
    """Whether the local time lies in these hours, which may pass midnight; the end does not."""
    if not text:
        return False
    begin, end = _ends(text)
    clock = now.time()
    if begin < end:
        return begin <= clock < end
    return clock >= begin or clock < end


def _ends(text: str) -> tuple[time, time]:
    match = _SPAN.fullmatch(text)
    try:
        begin, end = (time.fromisoformat(part) for part in match.groups()) if match else (None,) * 2
    except ValueError:
        begin = end = None
    if begin is None or end is None or begin == end:
        raise ValueError("use two times of day such as 22:00-07:00")
    return begin, end
