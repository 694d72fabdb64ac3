"""The tree of summaries: how it grows, and which of its parts fit a budget."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from mcp_memory.errors import InvalidInput, SummaryConflict
from mcp_memory.memory.conversations import summary_store
from mcp_memory.memory.conversations.batch import redact
from mcp_memory.memory.conversations.models import (
    Conversation,
    ConversationThread,
    Part,
    Span,
    Summarize,
    Summary,
    SummaryText,
)
from mcp_memory.postgres.connection import Connection
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import tsvector
from mcp_memory.text.tokens import estimate_tokens


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


def missing_spans(parts: Sequence[Part], last_seq: int) -> list[Span]:
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


async def resume(conn: Connection, session_id: str, budget: int) -> ConversationThread | None:
    """What to put back of the caller's own conversation; None when there is none of that id."""
    thread = await summary_store.thread(conn, session_id, budget)
    if thread is None:
        return None
    last_seq, roots, messages = thread
    parts = pack(messages, roots, budget) or cut(messages[:1], budget)
    tokens = sum(part.tokens for part in parts)
    return ConversationThread(session_id, parts, tokens, missing_spans(parts, last_seq))


def cut(parts: Sequence[Part], budget: int) -> list[Part]:
    """The beginning of a part that is larger than the whole budget."""
    cut: list[Part] = []
    for part in parts:
        text, _, _ = fit(part.text, budget, ())
        tokens = estimate_tokens(text)
        if text and tokens <= budget:
            cut.append(replace(part, text=text, tokens=tokens))
    return cut


async def add_leaf(
    conn: Connection, conversation: Conversation, request: Summarize
) -> tuple[int, int]:
    """Keep a summary of messages, or renew a stale one of the same span; its id and depth."""
    assert request.seq_from is not None
    assert request.seq_to is not None
    span = Span(request.seq_from, request.seq_to)
    await _check_span(conn, conversation, span)
    text = analyse(request.summary)
    covering = await summary_store.overlaps(conn, conversation, span.seq_from, span.seq_to)
    if not covering:
        return await summary_store.add_leaf(conn, conversation, span, text), 1
    first = covering[0]
    if not (first.stale and Span(first.seq_from, first.seq_to) == span):
        raise SummaryConflict(
            f"Messages {span.seq_from} to {span.seq_to} overlap with {describe(covering)}."
            " Summarize what comes after, or pass those summary_ids to summarize them together."
        )
    await summary_store.renew(conn, first.id, text)
    return first.id, first.depth


async def _check_span(conn: Connection, conversation: Conversation, span: Span) -> None:
    if not 1 <= span.seq_from <= span.seq_to:
        raise InvalidInput("seq_from", f"{span.seq_from} to {span.seq_to} is no span of messages")
    if span.seq_to > conversation.last_seq:
        raise InvalidInput("seq_to", f"the session has {conversation.last_seq} messages so far")
    missing = await summary_store.first_missing(conn, conversation, span.seq_from, span.seq_to)
    if missing is not None:
        raise SummaryConflict(
            f"There is a hole: message {missing} of {conversation.session_id!r} was removed."
            " Summarize the messages before and after it by themselves."
        )


async def cover_rest(conn: Connection, conversation: Conversation, summary: str) -> None:
    """Keep a summary of what none covers yet; the conversation must be locked."""
    span = Span(await summary_store.first_uncovered(conn, conversation), conversation.last_seq)
    missing = await summary_store.first_missing(conn, conversation, span.seq_from, span.seq_to)
    if span.seq_from <= span.seq_to and missing is None:
        await summary_store.add_leaf(conn, conversation, span, analyse(summary))


def describe(summaries: Sequence[Summary]) -> str:
    """The summaries and their spans, the first few, for an error."""
    return " and ".join(
        f"summary {summary.id} ({summary.seq_from} to {summary.seq_to})"
        for summary in summaries[:5]
    )


def analyse(summary: str) -> SummaryText:
    """The text as it is kept, its tokens and its lexemes."""
    text = redact(summary)
    return SummaryText(text, estimate_tokens(text), tsvector(text))
