"""What a hook puts into a context: facts with their sources, marked so that no transcript keeps
them as something that was said."""

from collections.abc import Sequence

from mcp_memory.hooks.store import Memory
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import indexed_lexemes
from mcp_memory.text.tokens import estimate_tokens
from mcp_memory.transcripts.echoes import RECALLED_CLOSE, RECALLED_OPEN
from mcp_memory.transcripts.summaries.models import ConversationThread, Part

BUDGET_TOKENS = 1500
# Claude Code takes 10,000 characters.
_MAX_CHARS = 9_000
_PASSAGE_TOKENS = 300
_LONG_PROMPT = 10


def relevant(found: Sequence[Memory], lexemes: Sequence[str], floor: float) -> list[Memory]:
    """Those that are about the prompt: enough of its words, and of its rare ones.

    One word in common is chance, unless the prompt has but one; the longer a prompt, the smaller
    the share of it that one memory can hold.
    """
    least = min(len(lexemes), 2 if len(lexemes) <= _LONG_PROMPT else 3)
    share = max(floor, min(0.35, 2.2 / max(1, len(lexemes))))
    wanted = set(lexemes)
    return [
        memory
        for memory in found
        if memory.coverage >= (share if len(lexemes) <= _LONG_PROMPT else share / 2)
        and len(wanted.intersection(indexed_lexemes(memory.text))) >= least
    ]


def memories_text(found: Sequence[Memory], lexemes: Sequence[str]) -> str:
    """The memories within the budget; empty when there are none."""
    lines: list[str] = []
    left = BUDGET_TOKENS
    for memory in found:
        text, first, last = fit(memory.text, min(left, _PASSAGE_TOKENS), lexemes)
        left -= estimate_tokens(text)
        if left < 0 or not text:
            break
        start = memory.start_line
        place = f"{memory.path}#L{start + first}-L{start + last}"
        lines.append(f"- [{place}, {memory.occurred_at:%Y-%m-%d}, by {memory.agent_id}] {text}")
    return _marked("Notes in long-term memory that mention this, possibly out of date:", lines)


def document_text(path: str, text: str) -> str:
    """The beginning of a document."""
    if not text.strip():
        return ""
    excerpt, _, _ = fit(text, BUDGET_TOKENS, ())
    return _marked(f"{path} of long-term memory says:", [excerpt])


def resumed_text(resumed: ConversationThread) -> str:
    """A session's thread, oldest first, and which messages were left out."""
    lines = [_part_line(part) for part in resumed.parts]
    spans = ", ".join(f"{span.seq_from} to {span.seq_to}" for span in resumed.omitted)
    if spans:
        lines.append(f"(Messages {spans} are not shown; the tool transcript reads them.)")
    return _marked(f"Session {resumed.session_id} before the compaction:", lines)


def _part_line(part: Part) -> str:
    if part.kind == "message":
        return f"[{part.seq_from}] {part.role}: {part.text}"
    return f"[{part.seq_from} to {part.seq_to}, summary {part.summary_id}] {part.text}"


def _marked(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    body = "\n".join([title, *lines]).replace(RECALLED_CLOSE, "")[:_MAX_CHARS]
    return f"{RECALLED_OPEN}\n{body}\n{RECALLED_CLOSE}"
