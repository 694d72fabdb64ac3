"""Asking an agent to save what it must not lose, before its context is compacted."""

from collections.abc import Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.transcripts.models import AppendMessages, Conversation, Flush
from mcp_memory.transcripts.summaries import store as summaries

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
    first = await summaries.uncovered_from(conn, conversation)
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
