"""The tool of conversations: a small model and a handler for each action."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated

from pydantic import Field, JsonValue, WithJsonSchema

from mcp_memory.app import App
from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.caller import caller_of
from mcp_memory.interfaces.mcp.tools import transcript_answers as answers
from mcp_memory.interfaces.mcp.tools.arguments import (
    Action,
    ActionArguments,
    Actions,
    action_tool,
    instant,
)
from mcp_memory.interfaces.mcp.tools.parameters import Count, Cursor
from mcp_memory.interfaces.mcp.tools.tool import ADDS, Answer, MemoryTool
from mcp_memory.interfaces.mcp.tools.transcript_answers import MESSAGES_SCHEMA, new_messages
from mcp_memory.memory.conversations.models import AppendMessages, MessageFilter, Role, Summarize
from mcp_memory.paging import Page
from mcp_memory.postgres.session import Session
from mcp_memory.search.messages import Match, TranscriptRequest

_DESCRIPTION = """Conversations, word for word: append what is said, search it, and after a
compaction get the thread back with resume.

recent and sessions list; get reads messages by id or seq (1, 2, … in each session); gaps
are a person's silences; summarize keeps your summary of a span of messages, or of
summaries; expand goes back down from one.
"""

SessionId = Annotated[str, Field(description="The conversation; append begins a new one")]
Messages = Annotated[
    Annotated[list[JsonValue], WithJsonSchema(MESSAGES_SCHEMA)] | None,
    Field(description="an id given twice is a duplicate"),
]
Limit = Annotated[int, Field(ge=1, le=500)]
Budget = Annotated[Count, Field(description="budget")]


class ListArguments(ActionArguments):
    """What actions take that answer a page."""

    limit: Limit = 20
    cursor: Cursor = ""


class SourceFilter(ActionArguments):
    """Where conversations come from, and when they were."""

    source: Annotated[str, Field(description="Filter: where it comes from")] = ""
    exclude_sources: Annotated[list[str] | None, Field(description="Filter: not from these")] = None
    since: Annotated[str, Field(description="Filter: 2026-03-01, 7d")] = ""
    until: Annotated[str, Field(description="Filter: not after")] = ""
    last_days: Annotated[
        float | None, Field(gt=0, le=36_500, description="Filter, instead of since")
    ] = None

    def message_filter(self, config: Config) -> MessageFilter:
        """The filter as the service takes it; `InvalidInput` for instants that make no sense."""
        since = instant(config, "since", self.since)
        if self.last_days is not None:
            if since is not None:
                raise InvalidInput("last_days", "give either since or last_days")
            since = datetime.now(UTC) - timedelta(days=self.last_days)
        until = instant(config, "until", self.until, day_end=True)
        if since and until and since >= until:
            raise InvalidInput("since", "is not before until")
        return MessageFilter(
            sources=[self.source] if self.source else None,
            exclude_sources=self.exclude_sources,
            since=since,
            until=until,
        )


class Filter(SourceFilter):
    """Which messages."""

    session_id: SessionId = ""
    role: Annotated[
        Role | None, Field(description="search finds what tools said only by role tool")
    ] = None
    speaker: Annotated[str, Field(description="who spoke")] = ""
    human_only: Annotated[bool, Field(description="only what people said")] = False

    def message_filter(self, config: Config) -> MessageFilter:
        """The same with who spoke, and in which conversation."""
        return replace(
            super().message_filter(config),
            session_id=self.session_id or None,
            role=self.role,
            speaker=self.speaker or None,
            human_only=self.human_only,
        )


class Append(ActionArguments):
    """Messages for the end of a conversation."""

    session_id: SessionId
    messages: Messages = None
    source: str = ""
    context_tokens_used: Annotated[
        int | None, Field(ge=0, description="your context's tokens; flush says when to save")
    ] = None
    context_window: Annotated[Count | None, Field(description="of so many")] = None


class Search(Filter):
    """A question to the messages."""

    query: str = ""
    match: Annotated[Match, Field(description="exact is the phrase itself")] = "hybrid"
    max_results: Annotated[int | None, Field(ge=1, le=100, description="default 5")] = None
    context: Annotated[int, Field(ge=0, le=20, description="neighbours on each side")] = 0


class Recent(Filter, ListArguments):
    """Messages, newest first."""


class Get(ActionArguments):
    """Messages by id, or a span of a conversation."""

    message_ids: Annotated[list[str] | None, Field(description="instead of a span")] = None
    session_id: SessionId = ""
    seq_from: Count | None = None
    seq_to: Count | None = None


class Gaps(ActionArguments):
    """A person's silences."""

    min_hours: Annotated[float, Field(gt=0, le=1_000_000, description="silent for this long")] = 1.0
    session_id: SessionId = ""
    limit: Limit = 20


class Stats(ActionArguments):
    """How much there is."""


class Sessions(SourceFilter, ListArguments):
    """Conversations, the last active first."""


class SummarizeSpan(ActionArguments):
    """A summary of messages, or of summaries."""

    session_id: SessionId
    summary: Annotated[str, Field(description="you write it")] = ""
    seq_from: Count | None = None
    seq_to: Count | None = None
    summary_ids: Annotated[list[str] | None, Field(description="these, instead of a span")] = None


class ListSummaries(ListArguments):
    """Summaries by their words, or all in order."""

    query: str = ""
    session_id: SessionId = ""


class Expand(ActionArguments):
    """What a summary covers."""

    summary_id: str
    max_tokens: Budget = 4000
    include_messages: Annotated[bool, Field(description="down to the messages")] = False
    max_depth: Annotated[int, Field(ge=0, le=20, description="levels down")] = 3


class Resume(ActionArguments):
    """The thread after a compaction."""

    session_id: SessionId
    max_tokens: Budget = 4000


class TranscriptTools:
    """What the actions do, each for the agent and in the database of its session."""

    def __init__(self, app: App) -> None:
        self._app = app

    def actions(self) -> Actions:
        """All actions of the tool, as a model reads them."""
        return Actions.of(
            [
                Action.of("append", Append, "write", self.append),
                Action.of("search", Search, "read", self.search),
                Action.of("recent", Recent, "read", self.recent),
                Action.of("get", Get, "read", self.get),
                Action.of("gaps", Gaps, "read", self.gaps),
                Action.of("stats", Stats, "read", self.stats),
                Action.of("sessions", Sessions, "read", self.sessions),
                Action.of("summarize", SummarizeSpan, "write", self.summarize),
                Action.of("summaries", ListSummaries, "read", self.summaries),
                Action.of("expand", Expand, "read", self.expand),
                Action.of("resume", Resume, "read", self.resume),
            ]
        )

    async def append(self, session: Session, arguments: Append) -> Answer:
        """Keep what was said."""
        request = AppendMessages(
            session_id=arguments.session_id,
            messages=new_messages(self._app.config, arguments.messages or []),
            source=arguments.source,
            context_used=arguments.context_tokens_used,
            context_window=arguments.context_window,
        )
        return answers.AppendedAnswer.of(await self._app.transcripts.append(session, request))

    async def search(self, session: Session, arguments: Search) -> Answer:
        """Find messages."""
        request = TranscriptRequest(
            query=arguments.query,
            match=arguments.match,
            wanted=arguments.message_filter(self._app.config),
            max_results=arguments.max_results or 5,
            context=arguments.context,
        )
        answer = await self._app.search.messages(session, request)
        return answers.FoundMessages.of_answer(answer)

    async def recent(self, session: Session, arguments: Recent) -> Answer:
        """List messages, newest first."""
        filter = arguments.message_filter(self._app.config)
        page = await self._app.transcripts.recent(
            session, filter, limit=arguments.limit, cursor=arguments.cursor
        )
        return answers.MessagesAnswer.of_page(page)

    async def get(self, session: Session, arguments: Get) -> Answer:
        """Read messages."""
        messages = await self._app.transcripts.get(
            session,
            message_ids=arguments.message_ids or (),
            session_id=arguments.session_id or None,
            seq_from=arguments.seq_from,
            seq_to=arguments.seq_to,
        )
        return answers.MessagesAnswer.of_page(Page(messages))

    async def gaps(self, session: Session, arguments: Gaps) -> Answer:
        """List a person's silences."""
        gaps = await self._app.transcripts.gaps(
            session,
            min_hours=arguments.min_hours,
            session_id=arguments.session_id or None,
            limit=arguments.limit,
        )
        return answers.GapsAnswer.of_gaps(gaps)

    async def stats(self, session: Session, arguments: Stats) -> Answer:
        """Count what there is."""
        return answers.StatsAnswer.of(await self._app.transcripts.stats(session))

    async def sessions(self, session: Session, arguments: Sessions) -> Answer:
        """List conversations."""
        filter = arguments.message_filter(self._app.config)
        page = await self._app.transcripts.sessions(
            session, filter, limit=arguments.limit, cursor=arguments.cursor
        )
        return answers.SessionsAnswer(sessions=list(page), next_cursor=page.next_cursor or None)

    async def summarize(self, session: Session, arguments: SummarizeSpan) -> Answer:
        """Keep a summary."""
        request = Summarize(
            session_id=arguments.session_id,
            summary=arguments.summary,
            seq_from=arguments.seq_from,
            seq_to=arguments.seq_to,
            summary_ids=arguments.summary_ids or (),
        )
        summary_id, depth = await self._app.summaries.summarize(session, request)
        return answers.SummarizedAnswer(summary_id=summary_id, depth=depth)

    async def summaries(self, session: Session, arguments: ListSummaries) -> Answer:
        """Find summaries."""
        page = await self._app.summaries.find(
            session,
            query=arguments.query,
            session_id=arguments.session_id or None,
            limit=arguments.limit,
            cursor=arguments.cursor,
        )
        return answers.SummariesAnswer.of_page(page)

    async def expand(self, session: Session, arguments: Expand) -> Answer:
        """Go down from a summary."""
        expansion = await self._app.summaries.expand(
            session,
            arguments.summary_id,
            max_tokens=arguments.max_tokens,
            include_messages=arguments.include_messages,
            max_depth=arguments.max_depth,
        )
        return answers.ExpandedAnswer.of_expansion(expansion)

    async def resume(self, session: Session, arguments: Resume) -> Answer:
        """Get the thread back."""
        thread = await self._app.summaries.resume(
            session, arguments.session_id, max_tokens=arguments.max_tokens
        )
        return answers.ResumedAnswer.of_thread(thread)


def transcript_tools(app: App) -> Sequence[MemoryTool]:
    """The tool of the toolset `transcripts`."""
    return [
        action_tool(
            TranscriptTools(app).actions(),
            partial(caller_of, app),
            app.session,
            name="transcript",
            title="Conversations",
            description=_DESCRIPTION,
            annotations=ADDS,
        )
    ]
