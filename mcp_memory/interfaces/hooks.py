"""What each event of Claude Code makes the memory do, and what it answers."""

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from mcp_memory.config import Config
from mcp_memory.errors import DatabaseError
from mcp_memory.memory.conversations import store, tree
from mcp_memory.memory.conversations.batch import RECALLED_CLOSE, RECALLED_OPEN
from mcp_memory.memory.conversations.imports.importer import FileImport
from mcp_memory.memory.conversations.models import ConversationThread, Part
from mcp_memory.memory.conversations.tree import resume
from mcp_memory.postgres.addresses import EMBEDDED_DATABASE, Addresses
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.embedded.cluster import EmbeddedCluster
from mcp_memory.postgres.migrate import list_shipped, newest
from mcp_memory.postgres.provision import existing_layout
from mcp_memory.postgres.session import AgentSession, Identity, transaction
from mcp_memory.search.kinds import SearchResult
from mcp_memory.search.prompt import document, search_by_words
from mcp_memory.search.routes import line_citation
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import query_lexemes
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
        text = await document(conn, _MEMORY_DOCUMENT)
    return document_text(_MEMORY_DOCUMENT, text)


async def _recall(config: Config, session: AgentSession, event: Event) -> str:
    """By words alone: loading a model would take longer than the whole hook may."""
    lexemes = query_lexemes(event.text("prompt")[:_MAX_PROMPT_CHARS])
    if not lexemes:
        return ""
    # Words say less than words and meaning do, of which search.min_score is the floor.
    least = config.search.min_score / 2
    async with session.reading() as conn:
        passages = await search_by_words(conn, lexemes, least, _PASSAGES)
    return passages_text(passages, lexemes)


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
        thread = await resume(conn, event.text("session_id"), BUDGET_TOKENS)
    return "" if thread is None else thread_text(thread)


# A server that takes longer to connect leaves no time to answer the event.
_CONNECT_SECONDS = 2


@dataclass(frozen=True, slots=True)
class HookSession:
    """The configured agent in its default database, over one connection."""

    conn: Connection
    identity: Identity

    @property
    def agent(self) -> str:
        """Whose rows are read and written."""
        return self.identity.agent

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[Connection]:
        """The connection in a read-only transaction as the agent."""
        async with transaction(self.conn, replace(self.identity, is_read_only=True)) as conn:
            yield conn

    @asynccontextmanager
    async def writing(self) -> AsyncGenerator[Connection]:
        """The connection in a transaction as the agent that commits when the block ends well."""
        async with transaction(self.conn, self.identity) as conn:
            yield conn


@asynccontextmanager
async def open_session(config: Config, timeout_seconds: float) -> AsyncGenerator[HookSession]:
    """The session, where the database is as this version expects it; the cluster is started."""
    with ExitStack() as stack:
        conn = await Connection.connect(
            _url(config, stack),
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=_CONNECT_SECONDS,
            application_name="mcp-memory hook",
        )
        async with conn:
            yield HookSession(conn, await _identity(conn, config, timeout_seconds))


def _url(config: Config, stack: ExitStack) -> str:
    """Where the default database is; the embedded cluster runs until the stack ends."""
    name, own = config.default_database, config.database.url
    if own is not None:
        return Addresses(config, own.reveal()).url(name)
    cluster = EmbeddedCluster(config.embedded.data_dir)
    addresses = Addresses(config, cluster.url(EMBEDDED_DATABASE))
    if addresses.is_derived(name):
        stack.enter_context(cluster)
    return addresses.url(name)


async def _identity(conn: Connection, config: Config, timeout_seconds: float) -> Identity:
    layout = await existing_layout(conn)
    if layout is None or layout.migration != newest(list_shipped()):
        raise DatabaseError("the database is not at this version's migration; start a server first")
    return Identity(
        database=config.default_database,
        role=layout.roles.app,
        search_path=layout.search_path,
        agent=config.agent,
        is_worker=False,
        is_read_only=False,
        timeout_milliseconds=round(timeout_seconds * 1000),
        client_check=layout.client_check,
        is_audited=config.audit.enabled,
    )
