"""Summaries of messages: what they may cover, and how their text is kept."""

from collections.abc import Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.errors import InvalidInput, SummaryConflict
from mcp_memory.text.terms import tsvector
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.models import Conversation
from mcp_memory.transcripts.redaction import redact
from mcp_memory.transcripts.summaries import store
from mcp_memory.transcripts.summaries.models import Span, Summarize, Summary


async def add_leaf(
    conn: Connection, conversation: Conversation, request: Summarize
) -> tuple[int, int]:
    """Keep a summary of messages, or renew a stale one of the same span; its id and depth."""
    assert request.seq_from is not None
    assert request.seq_to is not None
    span = Span(request.seq_from, request.seq_to)
    await _check_span(conn, conversation, span)
    text, tokens, lexemes = analyse(request.summary)
    covering = await store.overlapping(conn, conversation, span.seq_from, span.seq_to)
    if not covering:
        return await store.add_leaf(conn, conversation, span, text, tokens, lexemes), 1
    first = covering[0]
    if not (first.stale and Span(first.seq_from, first.seq_to) == span):
        raise SummaryConflict(
            f"Messages {span.seq_from} to {span.seq_to} overlap with {describe(covering)}."
            " Summarize what comes after, or pass those summary_ids to summarize them together."
        )
    await store.renew(conn, first.id, text, tokens, lexemes)
    return first.id, first.depth


async def _check_span(conn: Connection, conversation: Conversation, span: Span) -> None:
    if not 1 <= span.seq_from <= span.seq_to:
        raise InvalidInput("seq_from", f"{span.seq_from} to {span.seq_to} is no span of messages")
    if span.seq_to > conversation.last_seq:
        raise InvalidInput("seq_to", f"the session has {conversation.last_seq} messages so far")
    missing = await store.first_missing(conn, conversation, span.seq_from, span.seq_to)
    if missing is not None:
        raise SummaryConflict(
            f"There is a hole: message {missing} of {conversation.session_id!r} was removed."
            " Summarize the messages before and after it by themselves."
        )


async def cover_rest(conn: Connection, conversation: Conversation, summary: str) -> None:
    """Keep a summary of what none covers yet; the conversation must be locked."""
    span = Span(await store.uncovered_from(conn, conversation), conversation.last_seq)
    is_whole = await store.first_missing(conn, conversation, span.seq_from, span.seq_to) is None
    if span.seq_from <= span.seq_to and is_whole:
        await store.add_leaf(conn, conversation, span, *analyse(summary))


def describe(summaries: Sequence[Summary]) -> str:
    """The summaries and their spans, the first few, for an error."""
    return " and ".join(
        f"summary {summary.id} ({summary.seq_from} to {summary.seq_to})"
        for summary in summaries[:5]
    )


def analyse(summary: str) -> tuple[str, int, str]:
    """The text as it is kept, its tokens and its lexemes."""
    text = redact(summary)
    return text, estimate_tokens(text), tsvector(text)
