"""Choosing what of a conversation fits a budget: pure functions over parts, no database."""

from collections.abc import Iterable, Sequence

from mcp_memory.transcripts.summaries.models import Part, Span


def pack(messages: Sequence[Part], roots: Sequence[Part], budget: int) -> list[Part]:
    """The parts of a conversation to put back, oldest first.

    `messages` come newest first, `roots` (the summaries that no other covers) oldest first. The
    newest messages get half of the budget, all of it where there is no summary; then summaries,
    the newest first; then whatever messages still fit before those, as far as no summary speaks
    for them.
    """
    tail = _whole(messages, budget // 2 if roots else budget)
    start = min((part.seq_from for part in tail), default=_past(messages))
    left = budget - _tokens(tail)
    covers = _fit([root for root in reversed(roots) if root.seq_from < start], left)
    left -= _tokens(covers)
    rest = [part for part in messages if part.seq_from < start and not _is_in(part, covers)]
    more = _whole(rest, left)
    return sorted([*covers, *more, *tail], key=lambda part: (part.seq_from, part.seq_to))


def _whole(messages: Iterable[Part], budget: int) -> list[Part]:
    """Messages as they come until one does not fit; a tool's large one is passed over."""
    whole: list[Part] = []
    left = budget
    for part in messages:
        if part.role == "tool" and part.tokens > budget // 10:
            continue
        if part.tokens > left:
            break
        whole.append(part)
        left -= part.tokens
    return whole


def _fit(parts: Iterable[Part], budget: int) -> list[Part]:
    fitting: list[Part] = []
    for part in parts:
        if part.tokens <= budget:
            fitting.append(part)
            budget -= part.tokens
    return fitting


def _past(messages: Sequence[Part]) -> int:
    return messages[0].seq_to + 1 if messages else 2**31


def _is_in(part: Part, covers: Sequence[Part]) -> bool:
    return any(cover.seq_from <= part.seq_from <= cover.seq_to for cover in covers)


def _tokens(parts: Iterable[Part]) -> int:
    return sum(part.tokens for part in parts)


def omitted_spans(parts: Sequence[Part], last_seq: int) -> list[Span]:
    """The spans of 1 to last_seq that no part covers; the parts are in order."""
    spans: list[Span] = []
    following = 1
    for part in parts:
        if part.seq_from > following:
            spans.append(Span(following, part.seq_from - 1))
        following = max(following, part.seq_to + 1)
    if following <= last_seq:
        spans.append(Span(following, last_seq))
    return spans
