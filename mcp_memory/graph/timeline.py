"""What becomes of the spans that are known when something newer is told; pure.

The newest word is right from its beginning on. What began earlier ends there, and does not begin
again after it. What began with it, or is corrected by it, is replaced as a whole. What else began
while it is true begins when it ends, and what lies behind it altogether stays.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from mcp_memory.graph.models import Span


def cut(
    spans: Iterable[Span],
    start: datetime | None,
    end: datetime | None,
    *,
    corrects: Span | None = None,
) -> Iterator[tuple[Span, Span | None]]:
    """Each span that the new one from `start` until `end` changes, with what is left of it."""
    for span in spans:
        left = _left_of(span, start, None if span == corrects else end)
        if left != span:
            yield span, left


def _left_of(span: Span, start: datetime | None, end: datetime | None) -> Span | None:
    if start is not None and (span.valid_from is None or span.valid_from < start):
        is_over = span.valid_until is not None and span.valid_until <= start
        return span if is_over else replace(span, valid_until=start)
    if end is None or span.valid_from == start:
        return None
    if span.valid_from is not None and span.valid_from >= end:
        return span
    if span.valid_until is not None and span.valid_until <= end:
        return None
    return replace(span, valid_from=end)


def holds(span: Span, instant: datetime) -> bool:
    """Whether the span contains the instant; its end does not belong to it."""
    return (span.valid_from is None or span.valid_from <= instant) and (
        span.valid_until is None or instant < span.valid_until
    )
