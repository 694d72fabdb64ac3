"""Search in every named database, as each agent sees it: passages, facts and messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from itertools import islice

from mcp_memory.config import LimitsConfig, SearchConfig
from mcp_memory.errors import InvalidInput
from mcp_memory.memory.documents.models import Excerpt, check_prefix
from mcp_memory.memory.facts.query import FactAnswer, FactQuery
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.search import rank, routes
from mcp_memory.search.cache import AnswerCache, Epochs
from mcp_memory.search.candidates import candidates
from mcp_memory.search.context import read_context
from mcp_memory.search.facts import check_facts, is_searched, recall_facts
from mcp_memory.search.kinds import (
    DOCUMENTS,
    Candidate,
    Filter,
    ParsedQuery,
    SearchAnswer,
    SearchRequest,
    SearchResult,
    weights_for,
)
from mcp_memory.search.messages import TranscriptAnswer, TranscriptRequest, search_messages
from mcp_memory.search.pack import POOL, PageState, explain_query, explain_result, pack
from mcp_memory.search.query import (
    Query,
    Question,
    check_query,
    check_storable,
    read_query,
    read_question,
)
from mcp_memory.search.usage import Usage, Uses, uses_of
from mcp_memory.text.snippets import fit
from mcp_memory.text.tokens import TokenCounter
from mcp_memory.vectors.service import Spaces
from mcp_memory.vectors.spaces import QueryVector


@dataclass(frozen=True, slots=True)
class _Page:
    """What a page is made of, by index in the order: candidates and passages; what remains.

    At `ends_at` one of the passages is no longer true.
    """

    candidates: Mapping[int, Candidate]
    passages: Mapping[int, SearchResult]
    remaining: int
    ends_at: datetime | None
    query: ParsedQuery | None

    @property
    def is_anchored(self) -> bool:
        """Whether the best of it carries an anchor."""
        best = next(iter(self.candidates.values()), None)
        return best is not None and "anchor" in best.routes


class Search:
    """The one search: what an agent may see, best first."""

    def __init__(
        self,
        spaces: Spaces,
        settings: SearchConfig,
        limits: LimitsConfig,
        tokens: TokenCounter,
        zone: tzinfo,
        epochs: Epochs,
        cache: AnswerCache[SearchAnswer],
        usage: Usage,
    ) -> None:
        self._spaces, self._tokens, self._zone = spaces, tokens, zone
        self._floor, self._max_chars = settings.min_score, limits.query_chars
        self._epochs, self._cache, self._usage = epochs, cache, usage

    async def passages(self, session: Session, request: SearchRequest) -> SearchAnswer:
        """The best passages above the floor, best first; none when nothing is relevant."""
        self._check(request)
        database = await session.open()
        # Before anything is read: what is written from now on makes the answer old.
        epoch = self._epochs.current(database, session.agent)
        key = (database.name, session.agent, request)
        cached = self._cache.get(key, epoch)
        if cached is not None and _is_still_true(cached):
            answer = replace(cached, tier="T0")
        else:
            answer = await self._answer(session, request)
            if answer.results and not answer.degraded:
                self._cache.put(key, epoch, answer)
        ids = (int(result.id) for result in answer.results)
        self._usage.count(database, session.agent, ids, Uses(returned=1))
        return answer

    async def facts(self, session: Session, asked: FactQuery) -> FactAnswer:
        """The facts that answer, best first or in the mode's order; none when none is relevant."""
        check_facts(asked)
        check_query(asked.query, self._max_chars, may_be_empty=True)
        for name in ("id", "entity", "related_to"):
            check_storable(name, str(getattr(asked, name)))
        if not is_searched(asked):
            async with session.reading() as conn:
                return await recall_facts(conn, asked, None, self._floor, self._tokens)
        question, vector = await self._read(session, asked.query)
        async with session.reading() as conn:
            query = await read_query(conn, question, vector)
            answer = await recall_facts(conn, asked, query, self._floor, self._tokens)
        return replace(answer, degraded=[vector.problem]) if vector.problem else answer

    async def messages(self, session: Session, request: TranscriptRequest) -> TranscriptAnswer:
        """The agent's messages that match, best first (exact ones newest first)."""
        check_query(request.query, self._max_chars)
        with_vector = request.match != "exact"
        question, vector = await self._read(session, request.query, with_vector=with_vector)
        async with session.reading() as conn:
            results = await search_messages(conn, request, question, vector, self._floor)
        return TranscriptAnswer(results, [vector.problem] if vector.problem else [])

    async def context(self, session: Session, result_id: str) -> Excerpt:
        """The lines around a search result, whatever kind of memory it is of."""
        async with session.reading() as conn:
            return await read_context(conn, result_id)

    async def _read(
        self, session: Session, query: str, *, with_vector: bool = True
    ) -> tuple[Question, QueryVector]:
        """What can be read of a query without its database's words, before a transaction begins."""
        vector = QueryVector()
        if with_vector:
            vector = await self._spaces.query_vector(await session.open(), query)
        return read_question(query, now=datetime.now(UTC), zone=self._zone), vector

    def _check(self, request: SearchRequest) -> None:
        check_query(request.query, self._max_chars)
        if request.since and request.until and request.since >= request.until:
            raise InvalidInput("since", "is not before until")
        if request.path_prefix:
            check_storable("path_prefix", check_prefix("path_prefix", request.path_prefix))
        check_storable("tags", *(request.tags or ()))

    async def _answer(self, session: Session, request: SearchRequest) -> SearchAnswer:
        before = PageState.of(request.cursor)
        question, vector = await self._read(session, request.query)
        async with session.reading() as conn:
            query = await read_query(conn, question, vector, request.anchors)
            page = await self._page(conn, query, request, before)
        results = self._pack(page, question.lexemes, request)
        return SearchAnswer(
            results=[*results.values()],
            tokens=sum(self._tokens.count(result.text) for result in results.values()),
            tier="T2_anchor" if page.is_anchored else "T2_hybrid",
            degraded=[vector.problem] if vector.problem else [],
            next_cursor=before.with_page(results).cursor
            if results and page.remaining > len(results)
            else "",
            query=page.query,
            ends_at=page.ends_at,
        )

    async def _page(
        self, conn: Connection, query: Query, request: SearchRequest, before: PageState
    ) -> _Page:
        """What a page is made of: the best of what earlier ones have not shown."""
        at_least = before.first + len(before.indexes) + _pool_size(request) + 1
        look = await candidates(conn, query, _filter_of(request), at_least=at_least)
        # Other kinds among the sources are passages here too.
        relevant = rank.relevant(look.ranked, self._floor, DOCUMENTS, request.min_score)
        remaining = before.remaining(len(relevant))
        pool = {index: relevant[index] for index in remaining[: _pool_size(request)]}
        ids = [candidate.chunk_id for candidate in pool.values()]
        by_id = await routes.passages(conn, ids)
        passages = {
            index: _with_score(by_id[candidate.chunk_id], candidate)
            for index, candidate in pool.items()
            if candidate.chunk_id in by_id
        }
        parsed = None
        if request.explain:
            parsed = explain_query(query, look.anchors)
            uses = await uses_of(conn, ids)
            weights = weights_for(query.vector.provider)
            passages = {
                index: explain_result(passage, pool[index], weights, uses.get(int(passage.id)))
                for index, passage in passages.items()
            }
        ends = [passage.ends_at for passage in by_id.values() if passage.ends_at]
        return _Page(pool, passages, len(remaining), min(ends, default=None), parsed)

    def _pack(
        self, page: _Page, lexemes: Sequence[str], request: SearchRequest
    ) -> dict[int, SearchResult]:
        """The results by their indexes in the order: the first ones, or what a budget of tokens
        has room for; of a best one that is larger than the budget what matters."""
        passages, budget = page.passages, request.max_tokens
        if budget is None:
            return dict(islice(passages.items(), request.max_results))
        indexes = [*passages]
        sizes = [self._tokens.count(passages[index].text) for index in indexes]
        ranks = [page.candidates[index].rank for index in indexes]
        packed = [indexes[number] for number in pack(sizes, budget, request.max_results, ranks)]
        results = {index: self._cut(passages[index], budget, lexemes) for index in packed}
        return {index: result for index, result in results.items() if result.text}

    def _cut(self, result: SearchResult, budget: int, lexemes: Sequence[str]) -> SearchResult:
        """The result with the lines around its match that the budget has room for."""
        if self._tokens.count(result.text) <= budget:
            return result
        text, first, last = fit(result.text, budget, lexemes)
        start, end = result.start_line + first, result.start_line + last
        citation = routes.line_citation(result.path, start, end)
        return replace(
            result,
            text=text,
            start_line=start,
            end_line=end,
            citation=result.citation if result.source == "graph" else citation,
        )


def _with_score(passage: SearchResult, candidate: Candidate) -> SearchResult:
    return replace(passage, score=round(candidate.score, 4), routes=[*candidate.routes])


def _filter_of(request: SearchRequest) -> Filter:
    """What of the request every route applies."""
    return Filter(
        sources=[*request.sources],
        path_prefix=request.path_prefix,
        tags=[*request.tags] if request.tags else None,
        since=request.since,
        until=request.until,
        as_of=request.as_of,
    )


def _pool_size(request: SearchRequest) -> int:
    """How many of the best are candidates for a page: more than it holds where a budget chooses."""
    return request.max_results if request.max_tokens is None else max(POOL, request.max_results)


def _is_still_true(answer: SearchAnswer) -> bool:
    return answer.ends_at is None or datetime.now(UTC) < answer.ends_at
