"""How the known validity spans change when a newer fact is recorded; pure.

The newer fact wins from its start on. A span that began earlier is cut there and does not resume.
A span with the same start, or one that is being corrected, is replaced. A span that began during
the new one starts at its end. A span that starts later is unchanged.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

from mcp_memory.graph.models import Span


def cut_spans(
    spans: Iterable[Span],
    start: datetime | None,
    end: datetime | None,
    *,
    corrects: Span | None = None,
) -> Iterator[tuple[Span, Span | None]]:
    """Each span that the new one from `start` until `end` changes, with what is left of it."""
    for span in spans:
        left = _rest_of(span, start, None if span == corrects else end)
        if left != span:
            yield span, left


def _rest_of(span: Span, start: datetime | None, end: datetime | None) -> Span | None:
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


def contains(span: Span, instant: datetime) -> bool:
    """Whether the span contains the instant; its end does not belong to it."""
    return (span.valid_from is None or span.valid_from <= instant) and (
        span.valid_until is None or instant < span.valid_until
    )
