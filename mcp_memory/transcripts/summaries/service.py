"""The rules of summaries: what may cover what, how they are read, and what a resume gives back."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import LimitsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput, SessionNotFound, SummaryConflict, SummaryNotFound
from mcp_memory.paging import from_cursor, to_cursor
from mcp_memory.text.storable import is_storable
from mcp_memory.text.terms import query_lexemes
from mcp_memory.transcripts import store as sessions
from mcp_memory.transcripts.models import Session
from mcp_memory.transcripts.summaries import store
from mcp_memory.transcripts.summaries.leaves import add_leaf, analysed, named
from mcp_memory.transcripts.summaries.models import (
    Expanded,
    Part,
    Resumed,
    Summarize,
    Summary,
)
from mcp_memory.transcripts.summaries.reading import cut, resume

_CURSOR = "summaries"


class Summaries:
    """The summaries of every named database; each agent sees its own."""

    def __init__(self, databases: Databases, limits: LimitsConfig) -> None:
        self._databases, self._limits = databases, limits

    async def summarize(
        self, agent: str, request: Summarize, *, database: str | None = None
    ) -> tuple[str, int]:
        """Keep a summary that the agent wrote; its id and depth.

        The same span again takes the place of a summary that has become stale.
        """
        self._check(request)
        chosen = await self._databases.reading(database, agent)

        async def summarize(conn: Connection) -> tuple[str, int]:
            session = await sessions.lock_session(conn, request.session_id)
            if session is None:
                raise SessionNotFound(request.session_id)
            add = _add_above if request.summary_ids else add_leaf
            summary_id, depth = await add(conn, session, request)
            await audit.record(conn, Event(agent, "summarize", "summary", str(summary_id)))
            return str(summary_id), depth

        return await chosen.write(agent, summarize)

    async def find(
        self,
        agent: str,
        *,
        query: str = "",
        session_id: str | None = None,
        limit: int = 20,
        cursor: str = "",
        database: str | None = None,
    ) -> tuple[list[Summary], str]:
        """Summaries that a query's words are in, best first; without one, all in order."""
        skip = _skipped(cursor)
        lexemes = query_lexemes(query) if query.strip() else None
        chosen = await self._databases.reading(database, agent)
        found = await chosen.read(
            agent,
            lambda conn: store.found(conn, session_id, lexemes, limit + 1, skip),
        )
        more = len(found) > limit
        return found[:limit], to_cursor(_CURSOR, skip + limit) if more else ""

    async def expand(
        self,
        agent: str,
        summary_id: str,
        *,
        max_tokens: int = 4000,
        include_messages: bool = False,
        max_depth: int = 3,
        database: str | None = None,
    ) -> Expanded:
        """A summary, then what it covers, so many levels down and as far as the budget goes."""
        chosen = await self._databases.reading(database, agent)

        async def expand(conn: Connection) -> Expanded:
            (summary,) = await _own(conn, [summary_id])
            parts = await store.below(conn, summary.id, max_depth)
            if include_messages:
                parts = await _with_messages(conn, summary, parts, max_tokens)
            return _within(parts, max_tokens)

        return await chosen.read(agent, expand)

    async def resume(
        self,
        agent: str,
        session_id: str,
        *,
        max_tokens: int = 4000,
        database: str | None = None,
    ) -> Resumed:
        """What to put back after a compaction: the newest messages whole, summaries before."""
        chosen = await self._databases.reading(database, agent)

        look = partial(resume, session_id=session_id, budget=max_tokens)
        resumed = await chosen.read(agent, look)
        if resumed is None:
            raise SessionNotFound(session_id)
        return resumed

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


async def _add_above(conn: Connection, session: Session, request: Summarize) -> tuple[int, int]:
    covered = await _own(conn, request.summary_ids)
    others = {summary.session_id for summary in covered} - {session.session_id}
    if others:
        raise InvalidInput("summary_ids", f"some belong to session {sorted(others)[0]!r}")
    text, tokens, lexemes = analysed(request.summary)
    renewed = await _stale_above(conn, covered)
    if renewed is not None:
        await store.renew(conn, renewed.id, text, tokens, lexemes)
        return renewed.id, renewed.depth
    if taken := [summary for summary in covered if summary.parent is not None]:
        raise SummaryConflict(
            f"{named(taken)} would overlap: covered already by summary {taken[0].parent}."
        )
    for before, after in pairwise(covered):
        if after.seq_from != before.seq_to + 1:
            raise SummaryConflict(
                f"There is a hole: messages {before.seq_to + 1} to {after.seq_from - 1} lie"
                f" between {named([before])} and {named([after])}. Summarize them first."
            )
    ids = [summary.id for summary in covered]
    return await store.add_above(conn, session.id, ids, text, tokens, lexemes)


async def _stale_above(conn: Connection, covered: Sequence[Summary]) -> Summary | None:
    """The stale summary of exactly these."""
    parents = {summary.parent for summary in covered}
    if len(parents) != 1 or (parent := parents.pop()) is None:
        return None
    (above,) = await store.by_ids(conn, [parent])
    same = await store.children(conn, parent) == [summary.id for summary in covered]
    return above if same and above.stale else None


async def _own(conn: Connection, summary_ids: Sequence[str]) -> list[Summary]:
    """The summaries of these ids in the order of what they cover; one unknown is an error."""
    numbers = {text: _number(text) for text in summary_ids}
    found = await store.by_ids(conn, list(numbers.values()))
    known = {summary.id for summary in found}
    for text, number in numbers.items():
        if number not in known:
            raise SummaryNotFound(text)
    return found


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1


async def _with_messages(
    conn: Connection, summary: Summary, parts: Sequence[Part], budget: int
) -> list[Part]:
    """The parts, each summary of messages followed by these, to the first without room."""
    whole: list[Part] = []
    for part in parts:
        whole.append(part)
        left = budget - sum(each.tokens for each in whole)
        if left < 0:
            break
        if part.depth == 1:
            span = part.seq_from, part.seq_to
            whole += await store.messages(conn, summary.session, *span, left)
    return whole


def _within(parts: Sequence[Part], budget: int) -> Expanded:
    chosen: list[Part] = []
    left = budget
    for part in parts:
        if part.tokens > left:
            break
        chosen.append(part)
        left -= part.tokens
    kept = chosen or cut(parts[:1], budget)
    return Expanded(kept, sum(part.tokens for part in kept), truncated=len(chosen) < len(parts))


def _skipped(cursor: str) -> int:
    if not cursor:
        return 0
    match from_cursor(_CURSOR, cursor):
        case [int() as skip] if 0 <= skip <= 1_000_000:
            return skip
        case _:
            raise InvalidInput("cursor", "is not one of the action summaries")
