"""Reading a conversation back within a budget."""

from collections.abc import Sequence
from dataclasses import replace

from mcp_memory.db.connection import Connection
from mcp_memory.text.snippets import fit
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.summaries import store
from mcp_memory.transcripts.summaries.models import ConversationThread, Part
from mcp_memory.transcripts.summaries.packing import omitted_spans, pack


async def resume(conn: Connection, session_id: str, budget: int) -> ConversationThread | None:
    """What to put back of the caller's own conversation; None when there is none of that id."""
    thread = await store.thread(conn, session_id, budget)
    if thread is None:
        return None
    last_seq, roots, messages = thread
    parts = pack(messages, roots, budget) or cut(messages[:1], budget)
    tokens = sum(part.tokens for part in parts)
    return ConversationThread(session_id, parts, tokens, omitted_spans(parts, last_seq))


def cut(parts: Sequence[Part], budget: int) -> list[Part]:
    """The beginning of a part that is larger than the whole budget."""
    cut: list[Part] = []
    for part in parts:
        text, _, _ = fit(part.text, budget, ())
        tokens = estimate_tokens(text)
        if text and tokens <= budget:
            cut.append(replace(part, text=text, tokens=tokens))
    return cut
