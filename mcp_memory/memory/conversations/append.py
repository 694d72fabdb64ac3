"""Adding a prepared batch to a conversation, and saying when the agent should save."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mcp_memory.config import TranscriptsConfig
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.memory.conversations import store, summary_store
from mcp_memory.memory.conversations.batch import (
    PreparedBatch,
    PreparedMessage,
    is_short,
    text_hash,
    windows,
)
from mcp_memory.memory.conversations.models import (
    AppendMessages,
    AppendResult,
    ContextChange,
    Conversation,
    Extension,
    Flush,
    Neighbour,
    NewChunk,
)
from mcp_memory.postgres.connection import Connection

SAVE = (
    "Save now what must outlive this conversation: durable facts, preferences and decisions with"
    " memory_write to MEMORY.md, today's events to memory/YYYY-MM-DD.md, open work with its next"
    " step. Leave out passwords, keys and tokens."
)
RESUME = 'After the compaction call transcript with action="resume" to get the thread back.'


async def check_context(
    conn: Connection,
    conversation: Conversation,
    request: AppendMessages,
    thresholds: Sequence[int],
    added: int,
) -> tuple[int | None, Flush | None]:
    """The threshold that holds now, when it is another one, and what to do if it is higher."""
    if request.context_used is None or not request.context_window:
        return None, None
    percent = request.context_used * 100 // request.context_window
    level = max((threshold for threshold in thresholds if threshold <= percent), default=0)
    if level == conversation.flushed:
        return None, None
    if level < conversation.flushed:
        return level, None
    last = conversation.last_seq + added
    first = await summary_store.first_uncovered(conn, conversation)
    return level, Flush(level, save_prompt(percent, conversation.session_id, first, last))


def save_prompt(percent: int, session_id: str, first: int, last: int) -> str:
    """What to do, in the words of the agent's tools."""
    span = (
        f" Summarize messages {first} to {last} of this session: transcript with"
        f' action="summarize", session_id="{session_id}", seq_from={first}, seq_to={last}.'
        if first <= last
        else ""
    )
    return f"The context is {percent} % full. {SAVE}{span} {RESUME}"


DEFAULT_SOURCE = "mcp"


async def append(
    conn: Connection,
    agent: str,
    request: AppendMessages,
    batch: PreparedBatch,
    settings: TranscriptsConfig,
) -> AppendResult:
    """Add the batch to the end of its conversation, which begins with its first message.

    Messages that the conversation has already are duplicates: the first ones stay.
    """
    extension = await store.extend(conn, request.session_id, request.source, batch.messages)
    if extension.conversation is None:
        if not batch.messages:
            return AppendResult(request.session_id, 0, 0, batch.ignored, 0)
        await _begin(conn, agent, request)
        extension = await store.extend(conn, request.session_id, request.source, batch.messages)
    conversation, count = extension.conversation, len(extension.added)
    assert conversation is not None
    level, flush = await check_context(conn, conversation, request, settings.flush_percent, count)
    await _index(conn, conversation, extension, batch, level)
    return AppendResult(
        session_id=conversation.session_id,
        appended=count,
        duplicates=batch.repeated + len(batch.messages) - count,
        ignored=batch.ignored,
        last_seq=conversation.last_seq + count,
        flush=flush,
    )


async def _begin(conn: Connection, agent: str, request: AppendMessages) -> None:
    """Begin the conversation, unless another writer just did."""
    source = request.source or DEFAULT_SOURCE
    if await store.add_conversation(conn, request.session_id, source):
        await audit.record(conn, Event(agent, "begin", "session", request.session_id))


async def _index(
    conn: Connection,
    conversation: Conversation,
    extension: Extension,
    batch: PreparedBatch,
    flushed: int | None,
) -> None:
    """Index what was added, and take note of it in the conversation's row and its summaries."""
    chunks, changes = _chunks_and_changes(extension, batch)
    instants = [message.created_at for message in extension.added]
    until = conversation.summarized_until
    late = [instant for instant in instants if until is not None and instant < until]
    # None of these is waited for by the next one.
    async with conn.pipeline():
        if chunks:
            await store.add_chunks(conn, conversation, chunks)
        if changes:
            await store.change_contexts(conn, changes)
        if late:
            await summary_store.mark_stale(conn, conversation, late)
        if instants or flushed is not None:
            await store.grow(
                conn,
                conversation,
                added=len(instants),
                first_at=min(instants, default=None),
                last_at=max(instants, default=None),
                flushed=flushed,
            )


def _chunks_and_changes(
    extension: Extension, batch: PreparedBatch
) -> tuple[list[NewChunk], list[ContextChange]]:
    """What to index of the added messages, and the new windows of their neighbours."""
    by_id = {prepared.message.id: prepared for prepared in batch.messages}
    added = {message.id: by_id[message.external_id] for message in extension.added}
    neighbours = [_with_text(near, added.get(near.message)) for near in extension.neighbours]
    changes = {change.message: change for change in windows(neighbours, added)}
    chunks: list[NewChunk] = []
    for message, prepared in added.items():
        window = changes.pop(message, None)
        chunks += _chunks(message, prepared, window.context if window else None)
    return chunks, list(changes.values())


def _with_text(neighbour: Neighbour, added: PreparedMessage | None) -> Neighbour:
    """A message that was just added has no chunk yet that its text could be read from."""
    if added is None or not is_short(added.message.role, added.passages):
        return neighbour
    return replace(neighbour, text=added.passages[0].text)


def _chunks(message: int, prepared: PreparedMessage, context: str | None) -> Iterator[NewChunk]:
    for passage in prepared.passages:
        embedded = context or f"{passage.heading}\n{passage.text}"
        yield NewChunk(message, passage, context, text_hash(embedded))
