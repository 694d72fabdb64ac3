"""The tool of conversations: kept word for word, searched, summarized and resumed."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue, WithJsonSchema

from mcp_memory.app import App
from mcp_memory.db.session import Session
from mcp_memory.errors import InvalidInput
from mcp_memory.recall.transcripts import Match, TranscriptRequest
from mcp_memory.server.caller import Caller, caller_of
from mcp_memory.server.instants import instant
from mcp_memory.server.parameters import Count, Cursor, DatabaseName
from mcp_memory.server.tools import transcript_answers as answers
from mcp_memory.server.tools.transcript_messages import MESSAGES_SCHEMA, new_messages
from mcp_memory.server.toolset import ADDS, Answer, MemoryTool
from mcp_memory.transcripts.models import AppendMessages, MessageFilter, Role
from mcp_memory.transcripts.summaries.models import Summarize

Action = Literal[
    "append",
    "search",
    "recent",
    "get",
    "gaps",
    "stats",
    "sessions",
    "summarize",
    "summaries",
    "expand",
    "resume",
]

_WRITING: tuple[Action, ...] = ("append", "summarize")

ActionName = Annotated[Action, Field(description="See above")]
SessionId = Annotated[str, Field(description="The conversation; append begins a new one")]
Messages = Annotated[
    Annotated[list[JsonValue], WithJsonSchema(MESSAGES_SCHEMA)] | None,
    Field(description="append: an id given twice is a duplicate"),
]
Query = Annotated[str, Field(description="search, summaries")]
MatchMode = Annotated[Match, Field(description="search: exact is the phrase itself")]
RoleName = Annotated[
    Role | None, Field(description="Filter; search finds what tools said only by role tool")
]
Speaker = Annotated[str, Field(description="Filter: who spoke")]
Source = Annotated[str, Field(description="Filter, or append: where it comes from")]
ExcludeSources = Annotated[list[str] | None, Field(description="Filter: not from these")]
HumanOnly = Annotated[bool, Field(description="Filter: only what people said")]
Since = Annotated[str, Field(description="Filter: 2026-03-01, 7d")]
Until = Annotated[str, Field(description="Filter: not after")]
LastDays = Annotated[float | None, Field(gt=0, le=36_500, description="Filter, instead of since")]
MaxResults = Annotated[int | None, Field(ge=1, le=100, description="search; default: 5")]
Neighbours = Annotated[int, Field(ge=0, le=20, description="search: neighbours on each side")]
Limit = Annotated[int, Field(ge=1, le=500, description="recent, sessions, gaps, summaries")]
MessageIds = Annotated[list[str] | None, Field(description="get, instead of a span")]
Seq = Annotated[Count | None, Field(description="get, summarize")]
MinHours = Annotated[float, Field(gt=0, le=1_000_000, description="gaps: silent for this long")]
SummaryText = Annotated[str, Field(description="summarize: you write it")]
SummaryIds = Annotated[list[str] | None, Field(description="summarize these, instead of a span")]
SummaryId = Annotated[str, Field(description="expand")]
MaxTokens = Annotated[Count, Field(description="expand, resume: budget")]
IncludeMessages = Annotated[bool, Field(description="expand: down to the messages")]
MaxDepth = Annotated[int, Field(ge=0, le=20, description="expand: levels down")]
ContextUsed = Annotated[
    int | None, Field(ge=0, description="append: your context's tokens; flush says when to save")
]
ContextWindow = Annotated[Count | None, Field(description="append: of so many")]


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one call, as the tool's function takes them."""

    action: Action
    session_id: str
    messages: list[JsonValue] | None
    query: str
    match: Match
    role: Role | None
    speaker: str
    source: str
    exclude_sources: list[str] | None
    human_only: bool
    since: str
    until: str
    last_days: float | None
    max_results: int | None
    context: int
    limit: int
    cursor: str
    message_ids: list[str] | None
    seq_from: int | None
    seq_to: int | None
    min_hours: float
    summary: str
    summary_ids: list[str] | None
    summary_id: str
    max_tokens: int
    include_messages: bool
    max_depth: int
    context_tokens_used: int | None
    context_window: int | None
    database: str

    @property
    def required_session(self) -> str:
        """The session, which this action cannot do without."""
        if not self.session_id:
            raise InvalidInput("session_id", f"is required for {self.action}")
        return self.session_id


class TranscriptTools:
    """The function behind the tool; its docstring is what a model reads."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def transcript(
        self,
        caller: Caller,
        action: ActionName,
        session_id: SessionId = "",
        messages: Messages = None,
        query: Query = "",
        match: MatchMode = "hybrid",
        role: RoleName = None,
        speaker: Speaker = "",
        source: Source = "",
        exclude_sources: ExcludeSources = None,
        human_only: HumanOnly = False,
        since: Since = "",
        until: Until = "",
        last_days: LastDays = None,
        max_results: MaxResults = None,
        context: Neighbours = 0,
        limit: Limit = 20,
        cursor: Cursor = "",
        message_ids: MessageIds = None,
        seq_from: Seq = None,
        seq_to: Seq = None,
        min_hours: MinHours = 1.0,
        summary: SummaryText = "",
        summary_ids: SummaryIds = None,
        summary_id: SummaryId = "",
        max_tokens: MaxTokens = 4000,
        include_messages: IncludeMessages = False,
        max_depth: MaxDepth = 3,
        context_tokens_used: ContextUsed = None,
        context_window: ContextWindow = None,
        database: DatabaseName = "",
    ) -> Answer:
        """Conversations, word for word: append what is said, search it, and after a compaction
        get the thread back with resume.

        recent and sessions list; get reads messages by id or seq (1, 2, … in each session); gaps
        are a person's silences; summarize keeps your summary of a span of messages, or of
        summaries; expand goes back down from one.
        """
        # Every parameter but the caller is a field of that name.
        given: dict[str, Any] = {n: v for n, v in locals().items() if n not in ("self", "caller")}
        arguments = Arguments(**given)
        session = self._app.session(caller.agent, database or None)
        return await self._actions()[action](session, arguments)

    def _actions(self) -> dict[Action, Callable[[Session, Arguments], Awaitable[Answer]]]:
        return {
            "append": self._append,
            "search": self._search,
            "recent": self._recent,
            "get": self._get,
            "gaps": self._gaps,
            "stats": self._stats,
            "sessions": self._sessions,
            "summarize": self._summarize,
            "summaries": self._summaries,
            "expand": self._expand,
            "resume": self._resume,
        }

    async def _append(self, session: Session, given: Arguments) -> Answer:
        request = AppendMessages(
            session_id=given.required_session,
            messages=new_messages(self._app.config, given.messages or []),
            source=given.source,
            context_used=given.context_tokens_used,
            context_window=given.context_window,
        )
        appended = await self._app.transcripts.append(session, request)
        return answers.AppendedAnswer.of_append(appended)

    async def _search(self, session: Session, given: Arguments) -> Answer:
        request = TranscriptRequest(
            query=given.query,
            match=given.match,
            wanted=self._filter(given),
            max_results=given.max_results or 5,
            context=given.context,
        )
        found = await self._app.transcript_search.search_transcripts(
            session.agent, request, database=session.database
        )
        return answers.FoundMessages(
            results=[answers.MessageHitAnswer.of_hit(hit) for hit in found.results],
            degraded=found.degraded or None,
        )

    async def _recent(self, session: Session, given: Arguments) -> Answer:
        page = await self._app.transcripts.recent(
            session,
            self._filter(given),
            limit=given.limit,
            cursor=given.cursor,
        )
        return answers.MessagesAnswer(
            messages=[answers.MessageAnswer.of_message(each) for each in page],
            next_cursor=page.next_cursor or None,
        )

    async def _get(self, session: Session, given: Arguments) -> Answer:
        if given.message_ids == []:
            return answers.MessagesAnswer(messages=[])
        found = await self._app.transcripts.get(
            session,
            message_ids=given.message_ids or (),
            session_id=given.session_id or None,
            seq_from=given.seq_from,
            seq_to=given.seq_to,
        )
        return answers.MessagesAnswer(
            messages=[answers.MessageAnswer.of_message(each) for each in found]
        )

    async def _gaps(self, session: Session, given: Arguments) -> Answer:
        gaps = await self._app.transcripts.gaps(
            session,
            min_hours=given.min_hours,
            session_id=given.session_id or None,
            limit=given.limit,
        )
        return answers.GapsAnswer.of_gaps(gaps)

    async def _stats(self, session: Session, given: Arguments) -> Answer:
        stats = await self._app.transcripts.stats(session)
        return answers.StatsAnswer.of(stats)

    async def _sessions(self, session: Session, given: Arguments) -> Answer:
        page = await self._app.transcripts.sessions(
            session,
            self._filter(given),
            limit=given.limit,
            cursor=given.cursor,
        )
        return answers.SessionsAnswer(
            sessions=[answers.SessionAnswer.of(each) for each in page],
            next_cursor=page.next_cursor or None,
        )

    async def _summarize(self, session: Session, given: Arguments) -> Answer:
        request = Summarize(
            session_id=given.required_session,
            summary=given.summary,
            seq_from=given.seq_from,
            seq_to=given.seq_to,
            summary_ids=given.summary_ids or (),
        )
        summary_id, depth = await self._app.summaries.summarize(session, request)
        return answers.SummarizedAnswer(summary_id=summary_id, depth=depth)

    async def _summaries(self, session: Session, given: Arguments) -> Answer:
        page = await self._app.summaries.find(
            session,
            query=given.query,
            session_id=given.session_id or None,
            limit=given.limit,
            cursor=given.cursor,
        )
        return answers.SummariesAnswer(
            summaries=[answers.SummaryAnswer.of_summary(each) for each in page],
            next_cursor=page.next_cursor or None,
        )

    async def _expand(self, session: Session, given: Arguments) -> Answer:
        if not given.summary_id:
            raise InvalidInput("summary_id", "is required for expand")
        expanded = await self._app.summaries.expand(
            session,
            given.summary_id,
            max_tokens=given.max_tokens,
            include_messages=given.include_messages,
            max_depth=given.max_depth,
        )
        return answers.ExpandedAnswer(
            parts=[answers.PartAnswer.of_part(part) for part in expanded.parts],
            tokens=expanded.tokens,
            truncated=expanded.truncated,
        )

    async def _resume(self, session: Session, given: Arguments) -> Answer:
        resumed = await self._app.summaries.resume(
            session,
            given.required_session,
            max_tokens=given.max_tokens,
        )
        return answers.ResumedAnswer(
            session_id=resumed.session_id,
            parts=[answers.PartAnswer.of_part(part) for part in resumed.parts],
            tokens=resumed.tokens,
            omitted=[answers.SpanAnswer.of(span) for span in resumed.omitted],
        )

    def _filter(self, given: Arguments) -> MessageFilter:
        config = self._app.config
        since = instant(config, "since", given.since)
        if given.last_days is not None:
            if since is not None:
                raise InvalidInput("last_days", "give either since or last_days")
            since = datetime.now(UTC) - timedelta(days=given.last_days)
        until = instant(config, "until", given.until, day_end=True)
        if since and until and since >= until:
            raise InvalidInput("since", "is not before until")
        return MessageFilter(
            session_id=given.session_id or None,
            role=given.role,
            speaker=given.speaker or None,
            sources=[given.source] if given.source else None,
            exclude_sources=given.exclude_sources,
            human_only=given.human_only,
            since=since,
            until=until,
        )


def transcript_tools(app: App) -> Sequence[MemoryTool]:
    """The tool of the toolset `transcripts`."""
    function, caller = TranscriptTools(app).transcript, partial(caller_of, app)
    return [
        MemoryTool.of(
            function,
            caller,
            title="Conversations",
            annotations=ADDS,
            scope_of=lambda given: "write" if given["action"] in _WRITING else "read",
        )
    ]
