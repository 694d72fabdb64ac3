"""What each event of Claude Code makes the memory do, and what it answers."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcp_memory.config import Config
from mcp_memory.interfaces.hooks import context
from mcp_memory.memory.conversations import store, tree
from mcp_memory.memory.conversations.imports.importer import FileImport
from mcp_memory.memory.conversations.tree import resume
from mcp_memory.postgres.transaction import AgentSession
from mcp_memory.search.prompt import search_by_words
from mcp_memory.text.terms import query_lexemes

# How long each event may take: SessionEnd has 1.5 s from the client.
SECONDS: Mapping[str, float] = {
    "SessionStart": 4.0,
    "UserPromptSubmit": 3.0,
    "PostCompact": 5.0,
    "Stop": 4.0,
    "SessionEnd": 1.2,
}
EVENTS = tuple(SECONDS)
_SPARE_SECONDS = 0.3
_MEMORY_DOCUMENT = "MEMORY.md"
_PASSAGES = 6
_MAX_PROMPT_CHARS = 4096


@dataclass(frozen=True, slots=True)
class Event:
    """An event, what the client says of it, and until when (monotonic) it may take."""

    name: str
    facts: Mapping[str, object]
    deadline: float

    def text(self, name: str) -> str:
        """A text among the facts; empty when it is not there."""
        value = self.facts.get(name)
        return value if isinstance(value, str) else ""


async def answer(config: Config, session: AgentSession, event: Event) -> str:
    """What to add to the context; empty for nothing."""
    match event.name:
        case "SessionStart":
            return await _start(session, event)
        case "UserPromptSubmit":
            return await _recall(config, session, event)
        case "PostCompact":
            await _import(config, session, event)
            await _keep_summary(session, event)
            return await _resume(session, event)
        case "Stop" | "SessionEnd":
            await _import(config, session, event)
            return ""
        case _:
            return ""


async def _start(session: AgentSession, event: Event) -> str:
    if event.text("source") == "compact":
        return await _resume(session, event)
    async with session.reading() as conn:
        text = await context.document(conn, _MEMORY_DOCUMENT)
    return context.document_text(_MEMORY_DOCUMENT, text)


async def _recall(config: Config, session: AgentSession, event: Event) -> str:
    """By words alone: loading a model would take longer than the whole hook may."""
    lexemes = query_lexemes(event.text("prompt")[:_MAX_PROMPT_CHARS])
    if not lexemes:
        return ""
    # Words say less than words and meaning do, of which search.min_score is the floor.
    least = config.search.min_score / 2
    async with session.reading() as conn:
        passages = await search_by_words(conn, lexemes, least, _PASSAGES)
    return context.passages_text(passages, lexemes)


async def _import(config: Config, session: AgentSession, event: Event) -> None:
    """Take what the client has written down since; what there is no time for comes next time."""
    importing = FileImport(session, config.limits, config.transcripts, config.zone())
    # There may be no such file, or none yet.
    with suppress(OSError):
        await importing.take(
            Path(event.text("transcript_path")),
            format_name="claude-code",
            is_time_up=lambda: time.monotonic() > event.deadline - _SPARE_SECONDS,
        )


async def _keep_summary(session: AgentSession, event: Event) -> None:
    """The client's own summary, for the messages that no summary covers yet."""
    summary = event.text("compact_summary").strip()
    if not summary:
        return
    async with session.writing() as conn:
        conversation = await store.lock(conn, event.text("session_id"))
        if conversation is not None:
            await tree.cover_rest(conn, conversation, summary)


async def _resume(session: AgentSession, event: Event) -> str:
    async with session.reading() as conn:
        thread = await resume(conn, event.text("session_id"), context.BUDGET_TOKENS)
    return "" if thread is None else context.thread_text(thread)
