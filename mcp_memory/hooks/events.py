"""What each event of Claude Code makes the memory do, and what it answers."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mcp_memory.config import Config
from mcp_memory.hooks import recalled, store
from mcp_memory.hooks.connection import HookDatabase
from mcp_memory.search.prompt import search_by_words
from mcp_memory.text.terms import query_lexemes
from mcp_memory.transcripts import store as sessions
from mcp_memory.transcripts.importing.lines import Importing
from mcp_memory.transcripts.summaries import leaves
from mcp_memory.transcripts.summaries.reading import resume

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


async def answer(config: Config, database: HookDatabase, event: Event) -> str:
    """What to add to the context; empty for nothing."""
    match event.name:
        case "SessionStart":
            return await _start(config, database, event)
        case "UserPromptSubmit":
            return await _prompt(config, database, event)
        case "PostCompact":
            await _import(config, database, event)
            await _keep_summary(config, database, event)
            return await _thread(config, database, event)
        case "Stop" | "SessionEnd":
            await _import(config, database, event)
            return ""
        case _:
            return ""


async def _start(config: Config, database: HookDatabase, event: Event) -> str:
    if event.text("source") == "compact":
        return await _thread(config, database, event)
    async with database.reading(config.agent) as conn:
        text = await store.document(conn, _MEMORY_DOCUMENT)
    return recalled.document_text(_MEMORY_DOCUMENT, text)


async def _prompt(config: Config, database: HookDatabase, event: Event) -> str:
    """By words alone: loading a model would take longer than the whole hook may."""
    lexemes = query_lexemes(event.text("prompt")[:_MAX_PROMPT_CHARS])
    if not lexemes:
        return ""
    # Words say less than words and meaning do, of which search.min_score is the floor.
    least = config.search.min_score / 2
    async with database.reading(config.agent) as conn:
        passages = await search_by_words(conn, lexemes, least, _PASSAGES)
    return recalled.passages_text(passages, lexemes)


async def _import(config: Config, database: HookDatabase, event: Event) -> None:
    """Take what the client has written down since; what there is no time for comes next time."""
    path = Path(event.text("transcript_path"))
    importing = Importing(database, config.agent, config.limits, config.transcripts, config.zone())
    # There may be no such file, or none yet.
    with suppress(OSError):
        await importing.take(
            path,
            format_name="claude-code",
            is_time_up=lambda: time.monotonic() > event.deadline - _SPARE_SECONDS,
        )


async def _keep_summary(config: Config, database: HookDatabase, event: Event) -> None:
    """The client's own summary, for the messages that no summary covers yet."""
    summary = event.text("compact_summary").strip()
    if not summary:
        return
    async with database.writing(config.agent) as conn:
        session = await sessions.lock_session(conn, event.text("session_id"))
        if session is not None:
            await leaves.cover_rest(conn, session, summary)


async def _thread(config: Config, database: HookDatabase, event: Event) -> str:
    async with database.reading(config.agent) as conn:
        resumed = await resume(conn, event.text("session_id"), recalled.BUDGET_TOKENS)
    return "" if resumed is None else recalled.resumed_text(resumed)
