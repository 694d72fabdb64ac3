"""The rules of summaries: what may cover what, how they are read, and what a resume gives back."""

from collections.abc import Sequence
from itertools import pairwise

from mcp_memory.config import LimitsConfig
from mcp_memory.errors import InvalidInput, SessionNotFound, SummaryConflict, SummaryNotFound
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.memory.conversations import store, summary_store
from mcp_memory.memory.conversations.models import (
    Conversation,
    ConversationThread,
    Expansion,
    Part,
    Summarize,
    Summary,
)
from mcp_memory.memory.conversations.tree import add_leaf, analyse, cut, describe, resume
from mcp_memory.paging import Page, from_cursor
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.text.terms import is_storable, query_lexemes

_CURSOR = "summaries"


class Summaries:
    """The summaries of every named database; each agent sees its own."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._limits = limits

    async def summarize(self, session: Session, request: Summarize) -> tuple[str, int]:
        """Keep a summary that the agent wrote; its id and depth.

        The same span again takes the place of a summary that has become stale.
        """
        self._check(request)
        async with session.writing(create=False) as conn:
            conversation = await store.lock(conn, request.session_id)
            if conversation is None:
                raise SessionNotFound(request.session_id)
            add = _add_above if request.summary_ids else add_leaf
            summary_id, depth = await add(conn, conversation, request)
            event = Event(session.agent, "summarize", "summary", str(summary_id))
            await audit.record(conn, event)
        return str(summary_id), depth

    async def find(
        self,
        session: Session,
        *,
        query: str = "",
        session_id: str | None = None,
        limit: int = 20,
        cursor: str = "",
    ) -> Page[Summary]:
        """Summaries that a query's words are in, best first; without one, all in order."""
        skip = _skip(cursor)
        lexemes = query_lexemes(query) if query.strip() else None
        async with session.reading() as conn:
            rows = await summary_store.search(conn, session_id, lexemes, limit + 1, skip)
        return Page[Summary].of(rows, limit, _CURSOR, lambda _: (skip + limit,))

    async def expand(
        self,
        session: Session,
        summary_id: str,
        *,
        max_tokens: int = 4000,
        include_messages: bool = False,
        max_depth: int = 3,
    ) -> Expansion:
        """A summary, then what it covers, so many levels down and as far as the budget goes."""
        async with session.reading() as conn:
            (summary,) = await _own(conn, [summary_id])
            parts = await summary_store.below(conn, summary.id, max_depth)
            if include_messages:
                parts = await _with_messages(conn, summary, parts, max_tokens)
        return _within(parts, max_tokens)

    async def resume(
        self, session: Session, session_id: str, *, max_tokens: int = 4000
    ) -> ConversationThread:
        """What to put back after a compaction: the newest messages whole, summaries before."""
        async with session.reading() as conn:
            thread = await resume(conn, session_id, max_tokens)
        if thread is None:
            raise SessionNotFound(session_id)
        return thread

    def _check(self, request: Summarize) -> None:
        if not request.summary.strip():
            raise InvalidInput("summary", "is empty; write what happened in the span")
        if len(request.summary.encode(errors="replace")) > self._limits.content_bytes:
            raise InvalidInput("summary", f"is over {self._limits.content_bytes} bytes")
        if not is_storable(request.summary):
            raise InvalidInput("summary", "holds characters that cannot be stored")
        by_span = request.seq_from is not None or request.seq_to is not None
        if by_span == bool(request.summary_ids):
            raise InvalidInput("summary_ids", "give either seq_from and seq_to, or summary_ids")
        if by_span and (request.seq_from is None or request.seq_to is None):
            raise InvalidInput("seq_to", "give both seq_from and seq_to")


async def _add_above(
    conn: Connection, conversation: Conversation, request: Summarize
) -> tuple[int, int]:
    covered = await _own(conn, request.summary_ids)
    others = {summary.session_id for summary in covered} - {conversation.session_id}
    if others:
        raise InvalidInput("summary_ids", f"some belong to session {sorted(others)[0]!r}")
    text = analyse(request.summary)
    stale = await _stale_above(conn, covered)
    if stale is not None:
        await summary_store.renew(conn, stale.id, text)
        return stale.id, stale.depth
    if taken := [summary for summary in covered if summary.parent is not None]:
        raise SummaryConflict(
            f"{describe(taken)} would overlap: covered already by summary {taken[0].parent}."
        )
    for before, after in pairwise(covered):
        if after.seq_from != before.seq_to + 1:
            raise SummaryConflict(
                f"There is a hole: messages {before.seq_to + 1} to {after.seq_from - 1} lie"
                f" between {describe([before])} and {describe([after])}. Summarize them first."
            )
    ids = [summary.id for summary in covered]
    return await summary_store.add_above(conn, conversation.id, ids, text)


async def _stale_above(conn: Connection, covered: Sequence[Summary]) -> Summary | None:
    """The stale summary of exactly these."""
    parents = {summary.parent for summary in covered}
    if len(parents) != 1 or (parent := parents.pop()) is None:
        return None
    (above,) = await summary_store.by_ids(conn, [parent])
    same = await summary_store.children(conn, parent) == [summary.id for summary in covered]
    return above if same and above.stale else None


async def _own(conn: Connection, summary_ids: Sequence[str]) -> list[Summary]:
    """The summaries of these ids in the order of what they cover; one unknown is an error."""
    numbers = {text: _number(text) for text in summary_ids}
    summaries = await summary_store.by_ids(conn, list(numbers.values()))
    existing = {summary.id for summary in summaries}
    for text, number in numbers.items():
        if number not in existing:
            raise SummaryNotFound(text)
    return summaries


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


async def _with_messages(
    conn: Connection, summary: Summary, parts: Sequence[Part], budget: int
) -> list[Part]:
    """The parts, each summary of messages followed by these, to the first without room."""
    whole: list[Part] = []
    for part in parts:
        whole.append(part)
        left = budget - sum(part.tokens for part in whole)
        if left < 0:
            break
        if part.depth == 1:
            span = part.seq_from, part.seq_to
            whole += await summary_store.messages(conn, summary.session, *span, left)
    return whole


def _within(parts: Sequence[Part], budget: int) -> Expansion:
    whole: list[Part] = []
    left = budget
    for part in parts:
        if part.tokens > left:
            break
        whole.append(part)
        left -= part.tokens
    kept = whole or cut(parts[:1], budget)
    return Expansion(kept, sum(part.tokens for part in kept), truncated=len(whole) < len(parts))


def _skip(cursor: str) -> int:
    if not cursor:
        return 0
    match from_cursor(_CURSOR, cursor):
        case [int() as skip] if 0 <= skip <= 1_000_000:
            return skip
        case _:
            raise InvalidInput("cursor", "is not one of the action summaries")
