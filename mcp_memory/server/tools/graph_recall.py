"""The tools that read the graph of memories."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Annotated

from pydantic import Field, WithJsonSchema

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.graph.models import FactType
from mcp_memory.graph.reading.models import (
    FactFilter,
    FactQuery,
    Instants,
    QueryMode,
    RecallMode,
    SortBy,
)
from mcp_memory.server.caller import Caller, caller_of
from mcp_memory.server.instants import instant
from mcp_memory.server.parameters import Count, Cursor, DatabaseName, Tags
from mcp_memory.server.tools.graph_answers import (
    Detail,
    QueryAnswer,
    RecallAnswer,
    to_query_answer,
    to_recall_answer,
)
from mcp_memory.server.toolset import READS, MemoryTool

Question = Annotated[str, Field(description="What to recall; hybrid needs it")]
RecallModeName = Annotated[RecallMode, Field(description="Best match, or this order")]
# The choices stand in the tool that stores; here they would cost every client their length again.
TypeName = Annotated[
    Annotated[FactType, WithJsonSchema({"type": "string"})] | None,
    Field(description="Only this type"),
]
AsOf = Annotated[str, Field(description="True then: 2026-03-01, 7d")]
MaxResults = Annotated[int, Field(ge=1, le=100, description="Page size")]
SameAsLimit = Annotated[int | None, Field(ge=1, le=100, description="As limit")]
MaxTokens = Annotated[Count | None, Field(description="Budget for all texts")]
IncludeRelated = Annotated[bool, Field(description="Add linked memories")]

QueryText = Annotated[str, Field(description="To search, or narrow a list")]
ModeName = Annotated[QueryMode, Field(description="What to list")]
MemoryId = Annotated[str, Field(description="related, history")]
EntityName = Annotated[str, Field(description="Name or id")]
RelatedTo = Annotated[str, Field(description="path: where to")]
KnownAt = Annotated[str, Field(description="As it was known then")]
Depth = Annotated[int | None, Field(ge=1, le=4, description="Steps; default: 1, path: any")]
RelationTypes = Annotated[list[str] | None, Field(description="Follow only these")]
Share = Annotated[float | None, Field(ge=0, le=1, description="At least")]
SourceName = Annotated[str, Field(description="Where it was told")]
When = Annotated[str, Field(description="Happened or stored")]
Happens = Annotated[str, Field(description="Happened or began")]
Sort = Annotated[SortBy | None, Field(description="Descending")]
DetailName = Annotated[Detail, Field(description="full: nothing cut")]


class GraphReadingTools:
    """The functions behind the tools; their docstrings are what a model reads."""

    def __init__(self, app: App) -> None:
        self._recall, self._config = app.memory_recall, app.config

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
        asked = FactQuery(
            mode=mode,
            query=query,
            filter=FactFilter(memory_type=memory_type),
            instants=Instants(as_of=self._instant("as_of", as_of)),
            limit=max_results,
            max_tokens=max_tokens,
            include_related=include_related,
            cursor=cursor,
        )
        answer = await self._recall.recall(caller.agent, asked, database=database or None)
        return to_recall_answer(answer, with_related=include_related)

    async def memory_graph_query(
        self,
        caller: Caller,
        mode: ModeName = "hybrid",
        query: QueryText = "",
        id: MemoryId = "",
        entity: EntityName = "",
        related_to: RelatedTo = "",
        memory_type: TypeName = None,
        as_of: AsOf = "",
        known_at: KnownAt = "",
        depth: Depth = None,
        relation_types: RelationTypes = None,
        min_importance: Share = None,
        min_confidence: Share = None,
        source: SourceName = "",
        since: When = "",
        until: When = "",
        happens_after: Happens = "",
        happens_before: Happens = "",
        tags: Tags = None,
        sort_by: Sort = None,
        detail: DetailName = "summary",
        max_tokens: MaxTokens = None,
        include_related: IncludeRelated = True,
        max_results: SameAsLimit = None,
        limit: MaxResults = 20,
        cursor: Cursor = "",
        database: DatabaseName = "",
    ) -> QueryAnswer:
        """Look memories up. entity: what is known of one; related: what id or entity is linked
        with; path: from entity to related_to; timeline: past facts too; history: all versions of
        id; types: counts.
        """
        wanted = FactFilter(
            memory_type=memory_type,
            min_importance=min_importance,
            min_confidence=min_confidence,
            source=source or None,
            tags=tuple(tags) if tags else None,
        )
        asked = FactQuery(
            mode=mode,
            query=query,
            id=id,
            entity=entity,
            related_to=related_to,
            depth=depth,
            relation_types=_selected(relation_types),
            instants=self._instants(as_of, known_at),
            filter=self._within(wanted, since, until, happens_after, happens_before),
            sort_by=sort_by,
            limit=max_results or limit,
            max_tokens=max_tokens,
            include_related=include_related,
            cursor=cursor,
        )
        answer = await self._recall.recall(caller.agent, asked, database=database or None)
        return to_query_answer(answer, detail, with_related=include_related)

    def _instants(self, as_of: str, known_at: str) -> Instants:
        return Instants(self._instant("as_of", as_of), self._instant("known_at", known_at))

    def _within(
        self, wanted: FactFilter, since: str, until: str, after: str, before: str
    ) -> FactFilter:
        """The filter, bounded by instants."""
        return replace(
            wanted,
            since=self._instant("since", since),
            until=self._instant("until", until, day_end=True),
            happens_after=self._instant("happens_after", after),
            happens_before=self._instant("happens_before", before),
        )

    def _instant(self, parameter: str, text: str, *, day_end: bool = False) -> datetime | None:
        return instant(self._config, parameter, text, day_end=day_end)


def _selected(relation_types: Sequence[str] | None) -> tuple[str, ...] | None:
    """The relations to follow; an empty selection selects nothing, so it is a mistake."""
    if relation_types is None:
        return None
    if not relation_types:
        raise InvalidInput("relation_types", "is empty; leave it out to follow all")
    return tuple(relation_types)


def graph_reading_tools(app: App) -> Sequence[MemoryTool]:
    """memory_graph_recall and memory_graph_query."""
    functions, caller = GraphReadingTools(app), partial(caller_of, app)
    return [
        MemoryTool.of(
            functions.memory_graph_recall, caller, title="Recall memories", annotations=READS
        ),
        MemoryTool.of(
            functions.memory_graph_query, caller, title="Query memories", annotations=READS
        ),
    ]
