"""What becomes of a span that is known when a newer one is told."""

import pytest

from mcp_memory.memory.facts.model import Span
from mcp_memory.memory.facts.versions import cut_spans
from tests.fixtures.facts import day


def span(first: int | None, last: int | None) -> Span:
    """From one day until another."""
    return Span(1, 1, None if first is None else day(first), None if last is None else day(last))


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (span(None, None), span(5, None), span(None, 5)),
        (span(1, 9), span(5, None), span(1, 5)),
        (span(1, 9), span(5, 7), span(1, 5)),
        (span(1, 5), span(5, None), span(1, 5)),
        (span(1, 4), span(5, None), span(1, 4)),
        (span(5, None), span(5, 7), None),
        (span(None, None), span(None, 7), None),
        (span(6, None), span(5, 7), span(7, None)),
        (span(6, 7), span(5, 7), None),
        (span(7, 9), span(5, 7), span(7, 9)),
        (span(8, 9), span(5, 7), span(8, 9)),
        (span(6, 9), span(5, None), None),
        (span(6, 9), span(None, None), None),
        (span(6, 9), span(None, 7), span(7, 9)),
    ],
)
def test_the_newer_is_right_from_its_beginning(old: Span, new: Span, left: Span | None) -> None:
    changes = list(cut_spans([old], new.valid_from, new.valid_until))

    assert changes == ([] if left == old else [(old, left)])


def test_what_is_corrected_is_replaced_as_a_whole() -> None:
    old = span(6, None)

    assert list(cut_spans([old], day(5), day(7), corrects=old)) == [(old, None)]
