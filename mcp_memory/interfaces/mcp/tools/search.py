"""The tool that finds what was remembered."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from pydantic import Field, JsonValue, TypeAdapter

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.caller import Caller, caller_of
from mcp_memory.interfaces.mcp.tools.arguments import function_tool, instant
from mcp_memory.interfaces.mcp.tools.parameters import Count, Cursor, DatabaseName, Tags
from mcp_memory.interfaces.mcp.tools.tool import READS, Answer, MemoryTool
from mcp_memory.search.kinds import ParsedQuery, SearchAnswer, SearchRequest, SearchResult, Source
from mcp_memory.search.query import check_anchors

Query = Annotated[str, Field(description="What to look for: a question, words or identifiers")]
MaxResults = Annotated[int | None, Field(ge=1, le=100, description="Default: 6")]
MinScore = Annotated[float | None, Field(ge=0, le=1, description="Leave out less relevant results")]
Sources = Annotated[list[Source], Field(description="Kinds of memory to search")]
PathPrefix = Annotated[str, Field(description="Only documents whose path starts so")]
Since = Annotated[str, Field(description="Not before: 2026-03-01, 7d, 2 weeks")]
Until = Annotated[str, Field(description="Not after")]
AsOf = Annotated[str, Field(description="Memories true then")]
Anchors = Annotated[
    dict[str, str] | None,
    Field(description="What you are working on; keys: pr, file, branch, session, cwd"),
]
MaxTokens = Annotated[Count | None, Field(description="Budget for the texts of all results")]
Explain = Annotated[bool, Field(description="Add how the query was read, what ranked each result")]


# What nobody outside needs, and what only an explained result tells.
_HIDDEN = {"ends_at"}
_EXPLAINED = {"scores", "shares", "used"}
_RESULT = TypeAdapter(SearchResult)


class SearchResults(Answer):
    """What answers, best first."""

    results: list[dict[str, JsonValue]]
    tokens: int
    tier: str
    degraded: list[str] | None
    next_cursor: str | None
    query: ParsedQuery | None


class SearchTools:
    """The function behind the tool; its docstring is what a model reads."""

    def __init__(self, app: App) -> None:
        self._app, self._config = app, app.config

    async def memory_search(
        self,
        caller: Caller,
        query: Query,
        max_results: MaxResults = None,
        min_score: MinScore = None,
        sources: Sources = ["documents", "graph"],  # noqa: B006 - a schema's default, never changed
        path_prefix: PathPrefix = "",
        tags: Tags = None,
        since: Since = "",
        until: Until = "",
        as_of: AsOf = "",
        anchors: Anchors = None,
        max_tokens: MaxTokens = None,
        explain: Explain = False,
        cursor: Cursor = "",
        database: DatabaseName = "",
    ) -> SearchResults:
        """Search everything remembered; call it before answering about earlier work, people,
        preferences or decisions.

        Returns passages with path, lines and a score from 0 to 1; nothing relevant gives an empty
        list. memory_get with a result's id reads around it.
        """
        checked = check_anchors(anchors or {})
        request = SearchRequest(
            query=_with_anchors(query, dict(checked)),
            anchors=checked,
            max_results=max_results or self._config.search.max_results,
            min_score=min_score,
            sources=_check_sources(sources),
            path_prefix=path_prefix or None,
            tags=tuple(tags) if tags else None,
            since=instant(self._config, "since", since),
            until=instant(self._config, "until", until, day_end=True),
            as_of=instant(self._config, "as_of", as_of),
            max_tokens=max_tokens,
            explain=explain,
            cursor=cursor,
        )
        session = self._app.session(caller.agent, database or None)
        return _as_answer(await self._app.search.passages(session, request), explain=explain)


def _check_sources(sources: Sequence[Source]) -> tuple[Source, ...]:
    if not sources:
        raise InvalidInput("sources", "is empty; leave it out, or name what to search")
    return tuple(dict.fromkeys(sources))


def _with_anchors(query: str, anchors: Mapping[str, str]) -> str:
    """The query and the words of its anchors; a query of anchors alone is still empty."""
    return " ".join([query, *anchors.values()]) if query.strip() else ""


def _as_answer(answer: SearchAnswer, *, explain: bool) -> SearchResults:
    return SearchResults(
        results=[_as_json(result, explain=explain) for result in answer.results],
        tokens=answer.tokens,
        tier=answer.tier,
        degraded=answer.degraded or None,
        next_cursor=answer.next_cursor or None,
        query=answer.query,
    )


def _as_json(result: SearchResult, *, explain: bool) -> dict[str, JsonValue]:
    """The result without what says nothing."""
    hidden = _HIDDEN if explain else _HIDDEN | _EXPLAINED
    if not result.caution:
        hidden = hidden | {"caution"}
    return _RESULT.dump_python(result, mode="json", exclude=hidden, exclude_none=True)


def search_tools(app: App) -> Sequence[MemoryTool]:
    """memory_search, for every toolset that holds something to be found."""
    function, caller = SearchTools(app).memory_search, partial(caller_of, app)
    return [
        function_tool(function, caller, title="Search memory", annotations=READS, always_load=True)
    ]
