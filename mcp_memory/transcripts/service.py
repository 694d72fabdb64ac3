"""The rules of conversations; each public method is one transaction."""

from collections.abc import Sequence
from datetime import tzinfo

from mcp_memory.config import LimitsConfig, TranscriptsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.session import Session
from mcp_memory.errors import AmbiguousMessage, InvalidInput, MessageNotFound, SessionNotFound
from mcp_memory.paging import Page, Part, from_cursor, instant_in_cursor
from mcp_memory.spaces.service import Spaces
from mcp_memory.text.storable import is_storable
from mcp_memory.transcripts import history, store
from mcp_memory.transcripts.append import append
from mcp_memory.transcripts.history import Position
from mcp_memory.transcripts.models import (
    AppendMessages,
    AppendResult,
    ConversationInfo,
    Gap,
    Message,
    MessageFilter,
    Stats,
)
from mcp_memory.transcripts.preparing import check, prepare_batch

_RECENT, _SESSIONS = "recent", "sessions"
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
        if len(message_ids) > history.MAX_BY_ID:
            raise InvalidInput("message_ids", f"at most {history.MAX_BY_ID} at once")
        if not message_ids and session_id is None:
            raise InvalidInput("message_ids", "give message_ids, or session_id with seq_from")
        async with session.reading() as conn:
            if session_id is not None and not message_ids:
                return await _span(conn, session_id, seq_from, seq_to)
            messages = await history.by_ids(conn, message_ids, session_id)
        _check_ids(message_ids, messages)
        return messages

    async def recent(
        self, session: Session, filter: MessageFilter, *, limit: int = 20, cursor: str = ""
    ) -> Page[Message]:
        """Messages, newest first."""
        before = _position(_RECENT, cursor)
        async with session.reading() as conn:
            rows = await history.recent(conn, filter, limit + 1, before)
        return Page[Message].of(rows, limit, _RECENT, _message_position)

    async def sessions(
        self, session: Session, filter: MessageFilter, *, limit: int = 20, cursor: str = ""
    ) -> Page[ConversationInfo]:
        """Conversations, the last active first."""
        before = _position(_SESSIONS, cursor)
        async with session.reading() as conn:
            rows = await history.conversations(conn, filter, limit + 1, before)
        return Page[ConversationInfo].of(rows, limit, _SESSIONS, _conversation_position)

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
            return await history.gaps(conn, min_hours=min_hours, session_id=session_id, limit=limit)

    async def stats(self, session: Session) -> Stats:
        """How much there is."""
        async with session.reading() as conn:
            return await history.stats(conn)

    async def count(self, session: Session) -> dict[str, int]:
        """How many conversations and messages the agent has."""
        async with session.reading() as conn:
            conversations, messages = await history.count(conn)
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
