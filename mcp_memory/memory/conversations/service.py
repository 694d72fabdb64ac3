"""Conversations: appended to, read back, listed, with their silences and counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo

from psycopg.rows import class_row

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.errors import AmbiguousMessage, InvalidInput, MessageNotFound, SessionNotFound
from mcp_memory.memory.conversations import store
from mcp_memory.memory.conversations.append import append
from mcp_memory.memory.conversations.batch import check, prepare_batch
from mcp_memory.memory.conversations.models import (
    AppendMessages,
    AppendResult,
    ConversationInfo,
    Gap,
    Message,
    MessageFilter,
    Stats,
)
from mcp_memory.paging import Page, Part, from_cursor, instant_in_cursor
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.text.terms import is_storable
from mcp_memory.vectors.service import Spaces

# What one LIMIT of the statement below gives back whole.
MAX_BY_ID = 1000

_BY_IDS = """
SELECT m.external_id AS id, s.session_id, m.seq, m.role, m.speaker, m.content, m.created_at,
       m.source, m.metadata
FROM session_messages m
JOIN sessions s ON s.id = m.session
WHERE m.agent_id = current_agent() AND m.external_id = ANY (%(ids)s)
  AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
ORDER BY s.session_id, m.seq
LIMIT 1000
"""


async def by_ids(conn: Connection, ids: Sequence[str], session_id: str | None) -> list[Message]:
    """The caller's own messages of these ids, which may occur once in each conversation."""
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        rows = await cursor.execute(_BY_IDS, {"ids": list(ids), "session_id": session_id})
        return await rows.fetchall()


@dataclass(frozen=True, slots=True)
class Position:
    """After what a page begins: an instant, a conversation, and a message of it."""

    at: datetime
    session_id: str
    seq: int


_RECENT = """
SELECT m.external_id AS id, s.session_id, m.seq, m.role, m.speaker, m.content, m.created_at,
       m.source, m.metadata
FROM session_messages m
JOIN sessions s ON s.id = m.session
WHERE m.agent_id = current_agent()
  AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
  AND (%(roles)s::text[] IS NULL OR m.role = ANY (%(roles)s))
  AND (%(speaker)s::text IS NULL OR lower(m.speaker) = lower(%(speaker)s))
  AND (%(sources)s::text[] IS NULL OR m.source = ANY (%(sources)s))
  AND (%(exclude_sources)s::text[] IS NULL OR m.source <> ALL (%(exclude_sources)s))
  AND (%(since)s::timestamptz IS NULL OR m.created_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR m.created_at < %(until)s)
  AND m.created_at <= coalesce(%(at)s::timestamptz, 'infinity')
  AND (%(at)s::timestamptz IS NULL
       OR (m.created_at, s.session_id, m.seq) < (%(at)s, %(of)s::text, %(seq)s::bigint))
ORDER BY m.created_at DESC, s.session_id DESC, m.seq DESC
LIMIT %(limit)s
"""


async def recent(
    conn: Connection, filter: MessageFilter, limit: int, before: Position | None
) -> list[Message]:
    """The caller's own messages, newest first, from that position on."""
    parameters = {
        "session_id": filter.session_id,
        "roles": filter.roles,
        "speaker": filter.speaker,
        **_parameters(filter, limit, before),
    }
    async with conn.cursor(row_factory=class_row(Message)) as cursor:
        return await (await cursor.execute(_RECENT, parameters)).fetchall()


def _parameters(filter: MessageFilter, limit: int, before: Position | None) -> dict[str, object]:
    """What both lists are narrowed by, and where their page begins."""
    sources, exclude_sources = filter.sources, filter.exclude_sources
    return {
        "sources": None if sources is None else list(sources),
        "exclude_sources": None if exclude_sources is None else list(exclude_sources),
        "since": filter.since,
        "until": filter.until,
        "limit": limit,
        "at": before.at if before else None,
        "of": before.session_id if before else "",
        "seq": before.seq if before else 0,
    }


_GAPS = """
SELECT session_id, start_at AS start, end_at AS "end",
       round(extract(epoch FROM end_at - start_at) / 3600, 2)::float8 AS hours, last_message_id
FROM (
    SELECT s.session_id, m.created_at AS start_at, m.external_id AS last_message_id,
           lead(m.created_at) OVER (PARTITION BY m.session ORDER BY m.created_at, m.seq) AS end_at
    FROM session_messages m
    JOIN sessions s ON s.id = m.session
    WHERE m.agent_id = current_agent() AND m.role = 'user'
      AND (%(session_id)s::text IS NULL OR s.session_id = %(session_id)s)
) silence
WHERE end_at - start_at >= make_interval(secs => %(min_seconds)s)
ORDER BY end_at DESC, session_id
LIMIT %(limit)s
"""


async def gaps(
    conn: Connection, *, min_hours: float, session_id: str | None, limit: int
) -> list[Gap]:
    """Silences between a person's messages in one conversation, the one that ended last first."""
    parameters = {"min_seconds": min_hours * 3600, "session_id": session_id, "limit": limit}
    async with conn.cursor(row_factory=class_row(Gap)) as cursor:
        return await (await cursor.execute(_GAPS, parameters)).fetchall()


_CONVERSATIONS = """
SELECT session_id, messages, first_at, last_at, source
FROM sessions
WHERE agent_id = current_agent() AND messages > 0
  AND (%(sources)s::text[] IS NULL OR source = ANY (%(sources)s))
  AND (%(exclude_sources)s::text[] IS NULL OR source <> ALL (%(exclude_sources)s))
  AND (%(since)s::timestamptz IS NULL OR last_at >= %(since)s)
  AND (%(until)s::timestamptz IS NULL OR first_at < %(until)s)
  AND (%(at)s::timestamptz IS NULL OR (last_at, session_id) < (%(at)s, %(of)s::text))
ORDER BY last_at DESC, session_id DESC
LIMIT %(limit)s
"""


async def conversations(
    conn: Connection, filter: MessageFilter, limit: int, before: Position | None
) -> list[ConversationInfo]:
    """The caller's own conversations, the last active first, from that position on."""
    parameters = _parameters(filter, limit, before)
    async with conn.cursor(row_factory=class_row(ConversationInfo)) as cursor:
        return await (await cursor.execute(_CONVERSATIONS, parameters)).fetchall()


_STATS = """
SELECT count(*)::integer AS sessions,
       coalesce(sum(messages), 0)::integer AS messages,
       (SELECT count(*) FROM chunks c
        WHERE c.agent_id = current_agent() AND c.source = 'transcripts')::integer AS chunks,
       (SELECT count(*) FROM vector_jobs j
        JOIN vector_spaces e ON e.id = j.space_id AND e.state = 'active'
        JOIN chunks c ON c.id = j.chunk_id AND c.source = 'transcripts'
        WHERE j.agent_id = current_agent())::integer AS pending_embeddings,
       (SELECT count(*) FROM summaries u WHERE u.agent_id = current_agent())::integer AS summaries,
       min(first_at) AS first_at,
       max(last_at) AS last_at
FROM sessions
WHERE agent_id = current_agent() AND messages > 0
"""


async def stats(conn: Connection) -> Stats:
    """How much there is of the caller's own."""
    async with conn.cursor(row_factory=class_row(Stats)) as cursor:
        row = await (await cursor.execute(_STATS)).fetchone()
    assert row is not None
    return row


_COUNT = """
SELECT count(*), coalesce(sum(messages), 0)
FROM sessions
WHERE agent_id = current_agent() AND messages > 0
"""


async def count(conn: Connection) -> tuple[int, int]:
    """How many conversations and messages the caller has."""
    row = await (await conn.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


_RECENT_CURSOR, _SESSIONS_CURSOR = "recent", "sessions"
# One answer must stay small enough to be read whole.
_MAX_MESSAGES_READ = 1000


class Transcripts:
    """The conversations of every named database; each agent sees its own."""

    def __init__(
        self, spaces: Spaces, limits: LimitsConfig, settings: TranscriptsConfig, zone: tzinfo
    ) -> None:
        self._spaces, self._limits = spaces, limits
        self._settings, self._zone = settings, zone

    async def append(self, session: Session, request: AppendMessages) -> AppendResult:
        """Add messages to the end of a conversation, which begins with its first one.

        A message whose id the conversation has is a duplicate: the first one stays, whatever the
        second one says. Within a batch messages are put in the order of their instants.
        """
        check(request, self._limits)
        batch = await prepare_batch(request.messages, self._zone)
        async with session.writing() as conn:
            result = await append(conn, session.agent, request, batch, self._settings)
        if result.appended:
            await self._spaces.follow_later(await session.open())
        return result

    async def get(
        self,
        session: Session,
        *,
        message_ids: Sequence[str] = (),
        session_id: str | None = None,
        seq_from: int | None = None,
        seq_to: int | None = None,
    ) -> list[Message]:
        """Messages by their ids, or a conversation's by their numbers."""
        if len(message_ids) > MAX_BY_ID:
            raise InvalidInput("message_ids", f"at most {MAX_BY_ID} at once")
        if not message_ids and session_id is None:
            raise InvalidInput("message_ids", "give message_ids, or session_id with seq_from")
        async with session.reading() as conn:
            if session_id is not None and not message_ids:
                return await _span(conn, session_id, seq_from, seq_to)
            messages = await by_ids(conn, message_ids, session_id)
        _check_ids(message_ids, messages)
        return messages

    async def recent(
        self, session: Session, filter: MessageFilter, *, limit: int = 20, cursor: str = ""
    ) -> Page[Message]:
        """Messages, newest first."""
        before = _position(_RECENT_CURSOR, cursor)
        async with session.reading() as conn:
            rows = await recent(conn, filter, limit + 1, before)
        return Page[Message].of(rows, limit, _RECENT_CURSOR, _message_position)

    async def sessions(
        self, session: Session, filter: MessageFilter, *, limit: int = 20, cursor: str = ""
    ) -> Page[ConversationInfo]:
        """Conversations, the last active first."""
        before = _position(_SESSIONS_CURSOR, cursor)
        async with session.reading() as conn:
            rows = await conversations(conn, filter, limit + 1, before)
        return Page[ConversationInfo].of(rows, limit, _SESSIONS_CURSOR, _conversation_position)

    async def gaps(
        self,
        session: Session,
        *,
        min_hours: float = 1.0,
        session_id: str | None = None,
        limit: int = 20,
    ) -> list[Gap]:
        """The person's silences, the one that ended last first."""
        async with session.reading() as conn:
            return await gaps(conn, min_hours=min_hours, session_id=session_id, limit=limit)

    async def stats(self, session: Session) -> Stats:
        """How much there is."""
        async with session.reading() as conn:
            return await stats(conn)

    async def count(self, session: Session) -> dict[str, int]:
        """How many conversations and messages the agent has."""
        async with session.reading() as conn:
            conversations, messages = await count(conn)
        return {"sessions": conversations, "messages": messages}


def _check_ids(message_ids: Sequence[str], messages: Sequence[Message]) -> None:
    """Each id names one message."""
    holders: dict[str, list[str]] = {}
    for message in messages:
        holders.setdefault(message.id, []).append(message.session_id)
    if missing := [name for name in dict.fromkeys(message_ids) if name not in holders]:
        raise MessageNotFound(missing)
    for message_id, session_ids in holders.items():
        if len(session_ids) > 1:
            raise AmbiguousMessage(message_id, session_ids)


async def _span(
    conn: Connection, session_id: str, first: int | None, last: int | None
) -> list[Message]:
    conversation = await store.conversation(conn, session_id)
    if conversation is None:
        raise SessionNotFound(session_id)
    seq_from, seq_to = first or 1, last or conversation.last_seq
    if seq_to < seq_from:
        raise InvalidInput(
            "seq_from", f"is after seq_to {seq_to}; the last is {conversation.last_seq}"
        )
    if seq_to - seq_from >= _MAX_MESSAGES_READ:
        raise InvalidInput("seq_to", f"at most {_MAX_MESSAGES_READ} messages at once")
    return await store.by_seq(conn, conversation.id, seq_from, seq_to, _MAX_MESSAGES_READ)


def _message_position(message: Message) -> Sequence[Part]:
    return message.created_at.isoformat(), message.session_id, message.seq


def _conversation_position(conversation: ConversationInfo) -> Sequence[Part]:
    return conversation.last_at.isoformat(), conversation.session_id, 0


def _position(kind: str, cursor: str) -> Position | None:
    """Where a page begins, whatever has been appended since the one before."""
    if not cursor:
        return None
    match from_cursor(kind, cursor):
        case [str() as at, str() as session_id, int() as seq] if (
            is_storable(session_id) and 0 <= seq < 2**63
        ):
            return Position(instant_in_cursor(at), session_id, seq)
        case _:
            raise InvalidInput("cursor", f"is not one of the action {kind}")
