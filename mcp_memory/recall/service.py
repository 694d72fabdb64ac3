"""Search: the routes run, their hits are fused, and the answer is packed into its budget."""

from collections.abc import Sequence
from dataclasses import replace

from mcp_memory.config import LimitsConfig, SearchConfig
from mcp_memory.db.cancellation import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput
from mcp_memory.paging import from_cursor, to_cursor
from mcp_memory.recall import routes
from mcp_memory.recall.bands import ordered
from mcp_memory.recall.models import (
    Candidate,
    Narrowing,
    Passage,
    SearchAnswer,
    SearchRequest,
    SearchResult,
)
from mcp_memory.spaces.service import Spaces
from mcp_memory.text.snippets import fit
from mcp_memory.text.storable import is_storable
from mcp_memory.text.terms import query_lexemes
from mcp_memory.text.tokens import TokenCounter

_CURSOR = "search"
_CANDIDATES = 200


class Recall:
    """Search in every named database, as each agent sees it."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        settings: SearchConfig,
        limits: LimitsConfig,
        tokens: TokenCounter,
    ) -> None:
        self._databases, self._spaces, self._tokens = databases, spaces, tokens
        self._settings, self._limits = settings, limits

    async def search(
        self, agent: str, request: SearchRequest, *, database: str | None = None
    ) -> SearchAnswer:
        """The best passages above the floor, best first; none when nothing is relevant."""
        self._check(request)
        skip = _skipped(request.cursor)
        chosen = await self._databases.reading(database, agent)
        lexemes = query_lexemes(request.query)
        query = await self._spaces.query_vector(chosen, request.query)
        floor = self._settings.min_score if request.min_score is None else request.min_score

        async def work(conn: Connection) -> tuple[list[Candidate], dict[int, Passage]]:
            narrowing = _narrowing(request)
            enough = _enough(skip + request.max_results + 1)
            found = {
                "lexical": await routes.lexical(conn, lexemes, narrowing, enough),
                "semantic": await routes.semantic(conn, query, narrowing, enough),
            }
            ranked = ordered(found, floor=floor, first=_CANDIDATES)
            page = ranked[skip : skip + request.max_results + 1]
            return page, await routes.passages(conn, [c.chunk_id for c in page])

        page, passages = await chosen.read(agent, work)
        results = self._packed(page[: request.max_results], passages, lexemes, request)
        more = len(page) > len(results)
        return SearchAnswer(
            results=results,
            tokens=sum(self._tokens.count(result.text) for result in results),
            tier="T2_hybrid",
            degraded=[query.problem] if query.problem else [],
            next_cursor=to_cursor(_CURSOR, skip + len(results)) if more and results else "",
        )

    def _check(self, request: SearchRequest) -> None:
        if not request.query.strip():
            raise InvalidInput("query", "is empty; say what to look for")
        if len(request.query) > self._limits.query_chars:
            raise InvalidInput("query", f"is longer than {self._limits.query_chars} characters")
        _check_storable("query", request.query)
        _check_storable("path_prefix", request.path_prefix or "")
        _check_storable("tags", *(request.tags or ()))

    def _packed(
        self,
        page: Sequence[Candidate],
        passages: dict[int, Passage],
        lexemes: Sequence[str],
        request: SearchRequest,
    ) -> list[SearchResult]:
        """Results in order while the budget lasts; the first too large is cut to what is left."""
        results: list[SearchResult] = []
        left = request.max_tokens
        for candidate in page:
            passage = passages.get(candidate.chunk_id)
            if passage is None:
                continue
            result = _result(candidate, passage, explain=request.explain)
            if left is not None:
                result = self._cut(result, left, lexemes)
                left -= self._tokens.count(result.text)
            if result.text:
                results.append(result)
            if left is not None and left <= 0:
                break
        return results

    def _cut(self, result: SearchResult, budget: int, lexemes: Sequence[str]) -> SearchResult:
        """The result with the lines around its match that the budget has room for."""
        if self._tokens.count(result.text) <= budget:
            return result
        text, first, last = fit(result.text, budget, lexemes)
        start = result.start_line
        return replace(
            result,
            text=text,
            start_line=start + first,
            end_line=start + last,
            citation=_citation(result.path, start + first, start + last),
        )


def _result(candidate: Candidate, passage: Passage, *, explain: bool) -> SearchResult:
    return SearchResult(
        id=str(passage.id),
        source=passage.source,
        path=passage.path,
        start_line=passage.start_line,
        end_line=passage.end_line,
        title=passage.heading or passage.title,
        text=passage.text,
        score=round(candidate.score, 4),
        occurred_at=passage.occurred_at,
        owner=passage.agent_id,
        routes=list(candidate.routes),
        scores={name: round(value, 4) for name, value in candidate.signals.items()}
        if explain
        else {},
        citation=_citation(passage.path, passage.start_line, passage.end_line),
    )


def _citation(path: str, start_line: int, end_line: int) -> str:
    return f"{path}#L{start_line}-L{end_line}"


def _narrowing(request: SearchRequest) -> Narrowing:
    return Narrowing(
        sources=list(request.sources),
        path_prefix=request.path_prefix,
        tags=list(request.tags) if request.tags else None,
        since=request.since,
        until=request.until,
    )


def _check_storable(parameter: str, *texts: str) -> None:
    if not all(map(is_storable, texts)):
        raise InvalidInput(parameter, "holds NUL or is not UTF-8; nothing stored is like that")


def _enough(wanted: int) -> int:
    """How many hits of each route so many candidates take: the steps in which they are fused."""
    size = _CANDIDATES
    while size < wanted:
        size *= 2
    return size


def _skipped(cursor: str) -> int:
    if not cursor:
        return 0
    match from_cursor(_CURSOR, cursor):
        case [int() as skip] if 0 <= skip <= 10_000:
            return skip
        case _:
            raise InvalidInput("cursor", "is not one of memory_search")
