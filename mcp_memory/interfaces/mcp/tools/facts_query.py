"""The tools that read facts: recall, and query with a small model for each of its modes."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated

from pydantic import Field, WithJsonSchema

from mcp_memory.app import App
from mcp_memory.config import Config
from mcp_memory.interfaces.caller import Caller, caller_of
from mcp_memory.interfaces.mcp.tools.arguments import (
    Action,
    ActionArguments,
    Actions,
    Selector,
    action_tool,
    function_tool,
    instant,
)
from mcp_memory.interfaces.mcp.tools.facts_answers import (
    Detail,
    QueryAnswer,
    RecallAnswer,
    to_query_answer,
    to_recall_answer,
)
from mcp_memory.interfaces.mcp.tools.parameters import Count, Cursor, DatabaseName, Tags
from mcp_memory.interfaces.mcp.tools.tool import READS, MemoryTool
from mcp_memory.memory.facts.model import FactType
from mcp_memory.memory.facts.query import (
    FactAnswer,
    FactFilter,
    FactQuery,
    Instants,
    QueryMode,
    RecallMode,
    SortBy,
)
from mcp_memory.postgres.session import Session

_DESCRIPTION = """Look memories up. entity: what is known of one; related: what id or entity is
linked with; path: from entity to related_to; timeline: past too; history: all versions of id;
types: counts.
"""

Question = Annotated[str, Field(description="What to recall; hybrid needs it")]
RecallModeName = Annotated[RecallMode, Field(description="Best match, or this order")]
# The choices stand in the tool that stores; here they would cost every client their length again.
TypeName = Annotated[
    Annotated[FactType, WithJsonSchema({"type": "string"})] | None,
    Field(description="Only this type"),
]
AsOf = Annotated[str, Field(description="True then: 2026-03-01, 7d")]
MaxResults = Annotated[int, Field(ge=1, le=100, description="Page size")]
MaxTokens = Annotated[Count | None, Field(description="Budget for all texts")]
IncludeRelated = Annotated[bool, Field(description="Add linked memories")]

Share = Annotated[float | None, Field(ge=0, le=1, description="At least")]
FactId = Annotated[str, Field(description="")]


class QueryArguments(ActionArguments):
    """What every mode takes: which facts, true and known when."""

    memory_type: TypeName = None
    as_of: Annotated[str, Field(description="True then")] = ""
    known_at: Annotated[str, Field(description="As known then")] = ""
    min_importance: Share = None
    min_confidence: Share = None
    source: Annotated[str, Field(description="Where from")] = ""
    since: Annotated[str, Field(description="Happened or stored")] = ""
    until: Annotated[str, Field(description="As since")] = ""
    happens_after: Annotated[str, Field(description="Happened or began")] = ""
    happens_before: Annotated[str, Field(description="Likewise")] = ""
    tags: Tags = None

    def to_query(self, config: Config) -> FactQuery:
        """The question that the arguments are."""
        return FactQuery(
            instants=Instants(
                instant(config, "as_of", self.as_of), instant(config, "known_at", self.known_at)
            ),
            filter=FactFilter(
                memory_type=self.memory_type,
                min_importance=self.min_importance,
                min_confidence=self.min_confidence,
                source=self.source or None,
                tags=tuple(self.tags) if self.tags else None,
                since=instant(config, "since", self.since),
                until=instant(config, "until", self.until, day_end=True),
                happens_after=instant(config, "happens_after", self.happens_after),
                happens_before=instant(config, "happens_before", self.happens_before),
            ),
        )


class FactArguments(QueryArguments):
    """How the facts of an answer are shown."""

    detail: Annotated[Detail, Field(description="full: nothing cut")] = "summary"
    max_tokens: MaxTokens = None
    include_related: IncludeRelated = True

    def to_query(self, config: Config) -> FactQuery:
        """The question, with the room for its answer."""
        query = super().to_query(config)
        return replace(query, max_tokens=self.max_tokens, include_related=self.include_related)


class PageArguments(FactArguments):
    """Which page of an answer, in which order."""

    sort_by: Annotated[SortBy | None, Field(description="Descending")] = None
    max_results: Annotated[int | None, Field(ge=1, le=100, description="As limit")] = None
    limit: MaxResults = 20
    cursor: Cursor = ""

    def to_query(self, config: Config) -> FactQuery:
        """The question for this page."""
        return replace(
            super().to_query(config),
            sort_by=self.sort_by,
            limit=self.max_results or self.limit,
            cursor=self.cursor,
        )


class SearchArguments(PageArguments):
    """What is searched for; without it a list is not narrowed."""

    query: Annotated[str, Field(description="To search or narrow")] = ""

    def to_query(self, config: Config) -> FactQuery:
        """The question in words."""
        return replace(super().to_query(config), query=self.query)


class TraversalArguments(QueryArguments):
    """From which entity on, how far and over which relations."""

    entity: Annotated[str, Field(description="Name or id")] = ""
    depth: Annotated[int | None, Field(ge=1, le=4, description="Steps; default: 1, path: any")] = (
        None
    )
    relation_types: Annotated[list[str] | None, Field(description="Only these")] = None

    def to_query(self, config: Config) -> FactQuery:
        """The question about an entity."""
        types = tuple(self.relation_types) if self.relation_types else None
        query = super().to_query(config)
        return replace(query, entity=self.entity, depth=self.depth, relation_types=types)


class EntityArguments(TraversalArguments, SearchArguments):
    """An entity and what is searched for; of mode entity the `query` may be its name."""


class RelatedArguments(TraversalArguments, PageArguments):
    """What a fact or an entity is linked with."""

    id: FactId = ""

    def to_query(self, config: Config) -> FactQuery:
        """The question about a fact or an entity."""
        return replace(super().to_query(config), id=self.id)


class PathArguments(TraversalArguments, FactArguments):
    """How one entity is related to another."""

    related_to: Annotated[str, Field(description="where to")] = ""

    def to_query(self, config: Config) -> FactQuery:
        """The question from where to where."""
        return replace(super().to_query(config), related_to=self.related_to)


class HistoryArguments(PageArguments):
    """Every version of a fact."""

    id: FactId = ""

    def to_query(self, config: Config) -> FactQuery:
        """The question about a fact."""
        return replace(super().to_query(config), id=self.id)


# All but types, which answers no facts.
_MODES: Mapping[QueryMode, type[FactArguments]] = {
    "hybrid": SearchArguments,
    "recent": SearchArguments,
    "important": SearchArguments,
    "typed": SearchArguments,
    "entity": EntityArguments,
    "related": RelatedArguments,
    "path": PathArguments,
    "timeline": EntityArguments,
    "history": HistoryArguments,
}


class GraphReadingTools:
    """What the tools do; the docstring of recall is what a model reads."""

    def __init__(self, app: App) -> None:
        self._app, self._config = app, app.config

    async def memory_graph_recall(
        self,
        caller: Caller,
        query: Question = "",
        mode: RecallModeName = "hybrid",
        memory_type: TypeName = None,
        as_of: AsOf = "",
        max_results: MaxResults = 10,
        max_tokens: MaxTokens = None,
        include_related: IncludeRelated = True,
        cursor: Cursor = "",
        database: DatabaseName = "",
    ) -> RecallAnswer:
        """Recall facts, preferences, decisions… that answer a question, true now or as_of then.

        Nothing relevant gives an empty list.
        """
        fact_query = FactQuery(
            mode=mode,
            query=query,
            filter=FactFilter(memory_type=memory_type),
            instants=Instants(as_of=instant(self._config, "as_of", as_of)),
            limit=max_results,
            max_tokens=max_tokens,
            include_related=include_related,
            cursor=cursor,
        )
        answer = await self._recall(self._app.session(caller.agent, database or None), fact_query)
        return to_recall_answer(answer, with_related=include_related)

    def query_modes(self) -> Actions:
        """All modes of memory_graph_query, as a model reads them."""
        return Actions.of(
            [
                *(
                    Action.of(mode, arguments, "read", partial(self.query, mode))
                    for mode, arguments in _MODES.items()
                ),
                Action.of("types", QueryArguments, "read", self.count_types),
            ],
            Selector("mode", "What to list", default="hybrid"),
        )

    async def query(
        self, mode: QueryMode, session: Session, arguments: FactArguments
    ) -> QueryAnswer:
        """The facts that a mode lists."""
        query = replace(arguments.to_query(self._config), mode=mode)
        answer = await self._recall(session, query)
        return to_query_answer(answer, arguments.detail, with_related=arguments.include_related)

    async def count_types(self, session: Session, arguments: QueryArguments) -> QueryAnswer:
        """How many facts of each type there are."""
        query = replace(arguments.to_query(self._config), mode="types")
        answer = await self._recall(session, query)
        return to_query_answer(answer, "summary", with_related=False)

    async def _recall(self, session: Session, query: FactQuery) -> FactAnswer:
        return await self._app.search.facts(session, query)


def graph_reading_tools(app: App) -> Sequence[MemoryTool]:
    """memory_graph_recall and memory_graph_query."""
    tools, caller = GraphReadingTools(app), partial(caller_of, app)
    return [
        function_tool(
            tools.memory_graph_recall, caller, title="Recall memories", annotations=READS
        ),
        action_tool(
            tools.query_modes(),
            caller,
            app.session,
            name="memory_graph_query",
            title="Query memories",
            description=_DESCRIPTION,
            annotations=READS,
        ),
    ]
