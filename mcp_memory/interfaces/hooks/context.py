"""What a hook puts into a context: facts with their sources, marked so that no transcript keeps
them as something that was said."""

from collections.abc import Sequence

from mcp_memory.memory.conversations.batch import RECALLED_CLOSE, RECALLED_OPEN
from mcp_memory.memory.conversations.models import ConversationThread, Part
from mcp_memory.postgres.connection import Connection
from mcp_memory.search.kinds import SearchResult
from mcp_memory.search.routes import line_citation
from mcp_memory.text.snippets import fit
from mcp_memory.text.tokens import estimate_tokens

BUDGET_TOKENS = 1500
# Claude Code takes 10,000 characters.
_MAX_CHARS = 9_000
_PASSAGE_TOKENS = 300


def passages_text(passages: Sequence[SearchResult], lexemes: Sequence[str]) -> str:
    """The passages within the budget; empty when there are none."""
    lines: list[str] = []
    left = BUDGET_TOKENS
    for passage in passages:
        text, first, last = fit(passage.text, min(left, _PASSAGE_TOKENS), lexemes)
        left -= estimate_tokens(text)
        if left < 0 or not text:
            break
        start = passage.start_line
        source = line_citation(passage.path, start + first, start + last)
        lines.append(f"- [{source}, {passage.occurred_at:%Y-%m-%d}, by {passage.owner}] {text}")
    return _with_marks("Notes in long-term memory that mention this, possibly out of date:", lines)


def document_text(path: str, text: str) -> str:
    """The beginning of a document."""
    if not text.strip():
        return ""
    excerpt, _, _ = fit(text, BUDGET_TOKENS, ())
    return _with_marks(f"{path} of long-term memory says:", [excerpt])


def thread_text(thread: ConversationThread) -> str:
    """A session's thread, oldest first, and which messages were left out."""
    lines = [_part_line(part) for part in thread.parts]
    spans = ", ".join(f"{span.seq_from} to {span.seq_to}" for span in thread.omitted)
    if spans:
        lines.append(f"(Messages {spans} are not shown; the tool transcript reads them.)")
    return _with_marks(f"Session {thread.session_id} before the compaction:", lines)


def _part_line(part: Part) -> str:
    if part.kind == "message":
        return f"[{part.seq_from}] {part.role}: {part.text}"
    return f"[{part.seq_from} to {part.seq_to}, summary {part.summary_id}] {part.text}"


def _with_marks(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    body = "\n".join([title, *lines]).replace(RECALLED_CLOSE, "")[:_MAX_CHARS]
    return f"{RECALLED_OPEN}\n{body}\n{RECALLED_CLOSE}"


_DOCUMENT = """
SELECT v.content
FROM documents d
JOIN document_versions v ON v.document_id = d.id AND v.version = d.version
WHERE d.agent_id = current_agent() AND d.path = %(path)s AND d.deleted_at IS NULL
"""


async def document(conn: Connection, path: str) -> str:
    """The caller's own document of that path; empty when there is none."""
    row = await (await conn.execute(_DOCUMENT, {"path": path})).fetchone()
    return "" if row is None else str(row[0])
