"""Adding messages to a locked session: the rows, their chunks, and their neighbours' windows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from mcp_memory.db.connection import Connection
from mcp_memory.transcripts import store
from mcp_memory.transcripts.indexing import NEIGHBOUR_CHARS, is_short, text_hash, windows
from mcp_memory.transcripts.models import Piece, Session, Spoken, Stored
from mcp_memory.transcripts.preparing import PreparedBatch
from mcp_memory.transcripts.summaries import store as summaries

Progress = Callable[[Connection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Addition:
    """Messages that were added to a session, and what they are to be found by.

    `session` is as it was before, and locked; None when there is none.
    """

    session: Session | None
    added: list[Stored]
    chunks: list[tuple[int, Piece, str | None, bytes]]
    changed: list[tuple[int, str, bytes]]


async def add(conn: Connection, session_id: str, source: str, batch: PreparedBatch) -> Addition:
    """Add the messages that the session does not have yet."""
    session, added, near = await store.extend(
        conn, session_id, source, batch.messages, batch.tokens, NEIGHBOUR_CHARS
    )
    places = {message.id: place for place, message in enumerate(batch.messages)}
    stored = {each.id: places[each.external_id] for each in added}
    contexts = dict(windows([_with_text(each, batch, stored) for each in near], stored))
    chunks = [
        chunk
        for message, place in stored.items()
        for chunk in _chunks(message, batch.pieces[place], contexts.pop(message, None))
    ]
    changed = [(message, text, text_hash(text)) for message, text in contexts.items()]
    return Addition(session, added, chunks, changed)


async def finish(
    conn: Connection, session: Session, addition: Addition, flushed: int | None
) -> None:
    """Index what was added, and let the session's row and its summaries tell of it."""
    instants = [each.created_at for each in addition.added]
    until = session.summarized_until
    late = [instant for instant in instants if until is not None and instant < until]
    # None of these is waited for by the next one.
    async with conn.pipeline():
        if addition.chunks:
            await store.add_chunks(conn, session, addition.chunks)
        if addition.changed:
            await store.change_contexts(conn, addition.changed)
        if late:
            await summaries.mark_stale(conn, session, late)
        if instants or flushed is not None:
            await store.grow(
                conn,
                session,
                added=len(instants),
                first_at=min(instants, default=None),
                last_at=max(instants, default=None),
                flushed=flushed,
            )


def _with_text(spoken: Spoken, batch: PreparedBatch, stored: dict[int, int]) -> Spoken:
    """A message that was just added has no chunk yet that its text could be read from."""
    place = stored.get(spoken.message)
    if place is None or not is_short(batch.messages[place].role, batch.pieces[place]):
        return spoken
    return replace(spoken, text=batch.pieces[place][0].text)


def _chunks(
    message: int, pieces: Sequence[Piece], context: str | None
) -> list[tuple[int, Piece, str | None, bytes]]:
    return [
        (message, piece, context, text_hash(context or f"{piece.heading}\n{piece.text}"))
        for piece in pieces
    ]
