"""Choosing what of a session fits a budget."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.memory.conversations.models import Part, Span
from mcp_memory.memory.conversations.tree import missing_spans, pack


def message(seq: int, tokens: int, role: str = "user") -> Part:
    return Part("message", seq, seq, f"m{seq}", tokens, role=role)


def summary(seq_from: int, seq_to: int, tokens: int) -> Part:
    return Part("summary", seq_from, seq_to, f"s{seq_from}", tokens, summary_id=str(seq_from))


def spans(parts: list[Part]) -> list[tuple[int, int]]:
    return [(part.seq_from, part.seq_to) for part in parts]


def newest_first(count: int, tokens: int) -> list[Part]:
    return [message(seq, tokens) for seq in range(count, 0, -1)]


def test_without_summaries_the_newest_messages_fill_the_budget() -> None:
    parts = pack(newest_first(10, 10), [], 35)
    assert spans(parts) == [(8, 8), (9, 9), (10, 10)]
    assert missing_spans(parts, 10) == [Span(1, 7)]


def test_summaries_stand_for_what_the_newest_messages_leave_out() -> None:
    parts = pack(newest_first(10, 10), [summary(1, 4, 10), summary(5, 6, 10)], 60)
    assert spans(parts) == [(1, 4), (5, 6), (7, 7), (8, 8), (9, 9), (10, 10)]
    assert missing_spans(parts, 10) == []


def test_what_does_not_fit_is_named() -> None:
    parts = pack(newest_first(10, 10), [summary(1, 4, 100), summary(5, 6, 10)], 60)
    assert spans(parts)[0] == (1, 1) or missing_spans(parts, 10)
    assert (1, 4) not in spans(parts)


def test_a_summary_of_what_is_shown_whole_is_left_out() -> None:
    parts = pack(newest_first(3, 10), [summary(1, 3, 5)], 100)
    assert spans(parts) == [(1, 1), (2, 2), (3, 3)]


def test_a_tools_large_message_is_passed_over() -> None:
    messages = [message(3, 10), message(2, 50, "tool"), message(1, 10)]
    parts = pack(messages, [], 100)
    assert (spans(parts), missing_spans(parts, 3)) == ([(1, 1), (3, 3)], [Span(2, 2)])


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=20),
    ends=st.sets(st.integers(1, 20)),
    budget=st.integers(1, 300),
)
def test_the_budget_holds_and_every_message_is_shown_or_named(
    sizes: list[int], ends: set[int], budget: int
) -> None:
    last = len(sizes)
    messages = [message(seq, sizes[seq - 1]) for seq in range(last, 0, -1)]
    cuts = sorted(end for end in ends if end <= last)
    roots = [summary(before + 1, end, 7) for before, end in zip([0, *cuts], cuts, strict=False)]
    parts = pack(messages, roots, budget)
    assert sum(part.tokens for part in parts) <= budget
    assert parts == sorted(parts, key=lambda part: part.seq_from)
    shown = {seq for part in parts for seq in range(part.seq_from, part.seq_to + 1)}
    named = {
        seq for span in missing_spans(parts, last) for seq in range(span.seq_from, span.seq_to + 1)
    }
    assert shown | named == set(range(1, last + 1))
    assert not shown & named
