"""One append, as one transaction of whoever calls: a service, an import, or a hook."""

from collections.abc import Awaitable, Callable
from datetime import tzinfo
from typing import Protocol

import anyio.to_thread

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import TranscriptsConfig
from mcp_memory.db.connection import Connection, Result
from mcp_memory.transcripts import flushing, preparing, store, writing
from mcp_memory.transcripts.models import Appended, AppendMessages
from mcp_memory.transcripts.preparing import PreparedBatch
from mcp_memory.transcripts.writing import Progress

DEFAULT_SOURCE = "mcp"
# Longer batches are analysed in a thread, so that the loop goes on answering.
_INLINE_CHARS = 16_384


class Transactions(Protocol):
    """Where transactions run as an agent: a pool of a server, or the one connection of a hook."""

    async def read(self, agent: str, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` returns, read-only."""
        ...

    async def write(self, agent: str, work: Callable[[Connection], Awaitable[Result]]) -> Result:
        """What `work` returns, once it is committed."""
        ...


async def append_to(
    database: Transactions,
    agent: str,
    request: AppendMessages,
    settings: TranscriptsConfig,
    zone: tzinfo,
    progress: Progress | None = None,
) -> Appended:
    """Append what was checked already, and with it how far a file has been read."""
    batch = await _prepared(request, zone)

    async def append(conn: Connection) -> Appended:
        if progress is not None:
            await progress(conn)
        return await _append(conn, agent, request, batch, settings)

    return await database.write(agent, append)


async def _prepared(request: AppendMessages, zone: tzinfo) -> PreparedBatch:
    chars = sum(len(message.content) for message in request.messages)
    if chars <= _INLINE_CHARS:
        return preparing.prepare(request.messages, zone)
    return await anyio.to_thread.run_sync(preparing.prepare, request.messages, zone)


async def _append(
    conn: Connection,
    agent: str,
    request: AppendMessages,
    batch: PreparedBatch,
    settings: TranscriptsConfig,
) -> Appended:
    addition = await writing.add(conn, request.session_id, request.source, batch)
    if addition.session is None:
        if not batch.messages:
            return Appended(request.session_id, 0, 0, batch.ignored, 0)
        await _begin(conn, agent, request)
        addition = await writing.add(conn, request.session_id, request.source, batch)
    session, count = addition.session, len(addition.added)
    assert session is not None
    level, flush = await flushing.look(conn, session, request, settings.flush_percent, count)
    await writing.finish(conn, session, addition, level)
    return Appended(
        session_id=session.session_id,
        appended=count,
        duplicates=batch.repeated + len(batch.messages) - count,
        ignored=batch.ignored,
        last_seq=session.last_seq + count,
        flush=flush,
    )


async def _begin(conn: Connection, agent: str, request: AppendMessages) -> None:
    """Begin the session, unless another writer just did."""
    source = request.source or DEFAULT_SOURCE
    if await store.add_session(conn, request.session_id, source):
        await audit.record(conn, Event(agent, "begin", "session", request.session_id))
