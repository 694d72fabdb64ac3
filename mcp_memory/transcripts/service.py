"""The rules of transcripts; each public method is one transaction."""

from collections.abc import Sequence
from datetime import tzinfo
from functools import partial

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import AmbiguousMessage, InvalidInput, MessageNotFound, SessionNotFound
from mcp_memory.paging import from_cursor, instant_in_cursor, to_cursor
from mcp_memory.spaces.service import Spaces
from mcp_memory.text.storable import is_storable
from mcp_memory.transcripts import preparing, store
from mcp_memory.transcripts.appending import append_to
from mcp_memory.transcripts.models import (
    Appended,
    AppendMessages,
    Gap,
    Message,
    MessageFilter,
    MessagePage,
    SessionPage,
    Stats,
)

_RECENT, _SESSIONS = "recent", "sessions"
_MAX_MESSAGES_READ = 1000


class Transcripts:
    """The conversations of every named database; each agent sees its own."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        limits: LimitsConfig,
        settings: TranscriptsConfig,
        zone: tzinfo,
    ) -> None:
        self._databases, self._spaces = databases, spaces
        self._limits, self._settings, self._zone = limits, settings, zone

    async def append(
        self, agent: str, request: AppendMessages, *, database: str | None = None
    ) -> Appended:
        """Add messages to the end of a session, which begins with its first one.

        A message whose id the session has is a duplicate: the first one stays, whatever the
        second one says. Within a batch messages are put in the order of their instants.
        """
        preparing.check(request, self._limits)
        chosen = await self._databases.writing(database, agent)
        appended = await append_to(chosen, agent, request, self._settings, self._zone)
        if appended.appended:
            await self._spaces.follow_later(chosen)
        return appended

    async def get(
        self,
        agent: str,
        *,
        message_ids: Sequence[str] = (),
        session_id: str | None = None,
        seq_from: int | None = None,
        seq_to: int | None = None,
        database: str | None = None,
    ) -> list[Message]:
        """Messages by their ids, or a session's by their numbers."""
        chosen = await self._databases.reading(database, agent)
        if len(message_ids) > store.MAX_BY_ID:
            raise InvalidInput("message_ids", f"at most {store.MAX_BY_ID} at once")
        if message_ids:
            found = await chosen.read(
                agent, partial(store.by_ids, ids=message_ids, session_id=session_id)
            )
            _check_found(message_ids, found)
            return found
        if session_id is None:
            raise InvalidInput("message_ids", "give message_ids, or session_id with seq_from")
        span = partial(_span, session_id=session_id, first=seq_from, last=seq_to)
        return await chosen.read(agent, span)

    async def recent(
        self,
        agent: str,
        wanted: MessageFilter,
        *,
        limit: int = 20,
        cursor: str = "",
        database: str | None = None,
    ) -> MessagePage:
        """Messages, newest first."""
        before = _place(_RECENT, cursor)
        chosen = await self._databases.reading(database, agent)
        found = await chosen.read(agent, lambda conn: store.recent(conn, wanted, limit + 1, before))
        page, more = found[:limit], len(found) > limit
        last = (page[-1].created_at.isoformat(), page[-1].session_id, page[-1].seq) if more else ()
        return MessagePage(page, to_cursor(_RECENT, *last) if more else "")

    async def sessions(
        self,
        agent: str,
        wanted: MessageFilter,
        *,
        limit: int = 20,
        cursor: str = "",
        database: str | None = None,
    ) -> SessionPage:
        """Sessions, the last active first."""
        before = _place(_SESSIONS, cursor)
        chosen = await self._databases.reading(database, agent)
        look = partial(store.sessions, wanted=wanted, limit=limit + 1, before=before)
        found = await chosen.read(agent, look)
        page, more = found[:limit], len(found) > limit
        last = (page[-1].last_at.isoformat(), page[-1].session_id, 0) if more else ()
        return SessionPage(page, to_cursor(_SESSIONS, *last) if more else "")

    async def gaps(
        self,
        agent: str,
        *,
        min_hours: float = 1.0,
        session_id: str | None = None,
        limit: int = 20,
        database: str | None = None,
    ) -> list[Gap]:
        """The person's silences, the one that ended last first."""
        chosen = await self._databases.reading(database, agent)
        look = partial(store.gaps, min_hours=min_hours, session_id=session_id, limit=limit)
        return await chosen.read(agent, look)

    async def stats(self, agent: str, *, database: str | None = None) -> Stats:
        """How much there is."""
        chosen = await self._databases.reading(database, agent)
        return await chosen.read(agent, store.stats)

    async def count(self, agent: str, *, database: str | None = None) -> dict[str, int]:
        """How many sessions and messages the agent has."""
        chosen = await self._databases.reading(database, agent)
        sessions, messages = await chosen.read(agent, store.count)
        return {"sessions": sessions, "messages": messages}


def _check_found(message_ids: Sequence[str], found: Sequence[Message]) -> None:
    """Each id names one message."""
    places: dict[str, list[str]] = {}
    for message in found:
        places.setdefault(message.id, []).append(message.session_id)
    if missing := [each for each in dict.fromkeys(message_ids) if each not in places]:
        raise MessageNotFound(missing)
    for message_id, sessions in places.items():
        if len(sessions) > 1:
            raise AmbiguousMessage(message_id, sessions)


async def _span(
    conn: Connection, session_id: str, first: int | None, last: int | None
) -> list[Message]:
    session = await store.session(conn, session_id)
    if session is None:
        raise SessionNotFound(session_id)
    seq_from, seq_to = first or 1, last or session.last_seq
    if seq_to < seq_from:
        raise InvalidInput("seq_from", f"is after seq_to {seq_to}; the last is {session.last_seq}")
    if seq_to - seq_from >= _MAX_MESSAGES_READ:
        raise InvalidInput("seq_to", f"at most {_MAX_MESSAGES_READ} messages at once")
    return await store.by_seq(conn, session.id, seq_from, seq_to, _MAX_MESSAGES_READ)


def _place(kind: str, cursor: str) -> store.Place | None:
    """Where a page begins, whatever has been appended since the one before."""
    if not cursor:
        return None
    match from_cursor(kind, cursor):
        case [str() as at, str() as session_id, int() as seq] if (
            is_storable(session_id) and 0 <= seq < 2**63
        ):
            return instant_in_cursor(at), session_id, seq
        case _:
            raise InvalidInput("cursor", f"is not one of the action {kind}")
