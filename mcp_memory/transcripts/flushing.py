"""Asking an agent to save what it must not lose, before its context is compacted."""

from collections.abc import Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.transcripts.models import AppendMessages, Flush, Session
from mcp_memory.transcripts.summaries import store

SAVE = (
    "Save now what must outlive this conversation: durable facts, preferences and decisions with"
    " memory_write to MEMORY.md, today's events to memory/YYYY-MM-DD.md, open work with its next"
    " step. Leave out passwords, keys and tokens."
)
RESUME = 'After the compaction call transcript with action="resume" to get the thread back.'


async def look(
    conn: Connection,
    session: Session,
    request: AppendMessages,
    thresholds: Sequence[int],
    added: int,
) -> tuple[int | None, Flush | None]:
    """The threshold that holds now, when it is another one, and what to do if it is higher."""
    if request.context_used is None or not request.context_window:
        return None, None
    percent = request.context_used * 100 // request.context_window
    level = max((each for each in thresholds if each <= percent), default=0)
    if level == session.flushed:
        return None, None
    if level < session.flushed:
        return level, None
    last = session.last_seq + added
    first = await store.uncovered_from(conn, session)
    return level, Flush(level, save_prompt(percent, session.session_id, first, last))


def save_prompt(percent: int, session_id: str, first: int, last: int) -> str:
    """What to do, in the words of the agent's tools."""
    span = (
        f" Summarize messages {first} to {last} of this session: transcript with"
        f' action="summarize", session_id="{session_id}", seq_from={first}, seq_to={last}.'
        if first <= last
        else ""
    )
    return f"The context is {percent} % full. {SAVE}{span} {RESUME}"
