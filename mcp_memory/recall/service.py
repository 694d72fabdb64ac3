"""Search: the routes run, their hits are fused, and the answer is packed into its budget."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from functools import partial
from itertools import islice

from mcp_memory.config import LimitsConfig, SearchConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.documents.paths import check_prefix
from mcp_memory.errors import InvalidInput
from mcp_memory.graph.provenance import caution
from mcp_memory.recall import routes
from mcp_memory.recall.anchors import ROUTE
from mcp_memory.recall.budget import POOL, Shown, worth_most
from mcp_memory.recall.cache import AnswerCache
from mcp_memory.recall.candidates import PreparedQuery, best_candidates
from mcp_memory.recall.epochs import Epochs
from mcp_memory.recall.explaining import Explanation, explanation, scores_of, shares_of, used_of
from mcp_memory.recall.models import (
    Candidate,
    Passage,
    SearchAnswer,
    SearchFilter,
    SearchRequest,
    SearchResult,
)
from mcp_memory.recall.question import read
from mcp_memory.recall.usage.models import Uses
from mcp_memory.recall.usage.service import Usage
from mcp_memory.recall.weights import Weights, weights_for
from mcp_memory.spaces.service import Spaces
from mcp_memory.text.snippets import fit
from mcp_memory.text.storable import is_storable
from mcp_memory.text.tokens import TokenCounter

_BESIDE_A_GOOD_ONE = 0.6


@dataclass(frozen=True, slots=True)
class _PageCandidates:
    """The candidates of a page by their places, with their passages, and how many remain."""

    candidates: dict[int, Candidate]
    passages: dict[int, Passage]
    remaining: int
    explanation: Explanation | None


class Recall:
    """Search in every named database, as each agent sees it."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        settings: SearchConfig,
        limits: LimitsConfig,
        tokens: TokenCounter,
        zone: tzinfo,
        epochs: Epochs,
        cache: AnswerCache[SearchAnswer],
        usage: Usage,
    ) -> None:
        self._databases, self._spaces, self._tokens = databases, spaces, tokens
        self._settings, self._limits, self._zone = settings, limits, zone
        self._epochs, self._cache, self._usage = epochs, cache, usage

    async def search(
        self, agent: str, request: SearchRequest, *, database: str | None = None
    ) -> SearchAnswer:
        """The best passages above the floor, best first; none when nothing is relevant."""
        self._check(request)
        chosen = await self._databases.reading(database, agent)
        # Before anything is read: what is written from now on makes the answer old.
        epoch = self._epochs.current(chosen, agent)
        key = (chosen.name, agent, request)
        if (known := self._cache.get(key, epoch)) is not None and _is_still_true(known):
            answer = replace(known, tier="T0")
        else:
            answer = await self._answer(agent, request, chosen)
            if answer.results and not answer.degraded:
                self._cache.put(key, epoch, answer)
        ids = (int(result.id) for result in answer.results)
        self._usage.count(chosen, agent, ids, Uses(returned=1))
        return answer

    async def _answer(self, agent: str, request: SearchRequest, chosen: Database) -> SearchAnswer:
        shown = Shown.by(request.cursor)
        query = await self._spaces.query_vector(chosen, request.query)
        question = read(request.query, now=datetime.now(UTC), zone=self._zone)
        prepared = PreparedQuery(question, query, request.anchors)

        find = partial(self._page_candidates, prepared=prepared, request=request, shown=shown)
        page = await chosen.read(agent, find)
        results = self._packed(page, prepared, request)
        told = page.explanation
        if told is not None:
            results = _with_explanations(results, page, told, weights_for(query.provider))
        best = next(iter(page.candidates.values()), None)
        return SearchAnswer(
            results=list(results.values()),
            tokens=sum(self._tokens.count(result.text) for result in results.values()),
            tier="T2_anchor" if best and ROUTE in best.routes else "T2_hybrid",
            degraded=[query.problem] if query.problem else [],
            next_cursor=_next_cursor(page, shown, results),
            query=told.query if told else None,
            ends_at=min((p.ends_at for p in page.passages.values() if p.ends_at), default=None),
        )

    async def _page_candidates(
        self, conn: Connection, *, prepared: PreparedQuery, request: SearchRequest, shown: Shown
    ) -> _PageCandidates:
        """What a page is made of: the best of what earlier ones have not shown."""
        wanted = shown.first + len(shown.places) + _pool_size(request) + 1
        ranked = await best_candidates(conn, prepared, _search_filter(request), wanted=wanted)
        relevant = self._relevant(ranked, request.min_score)
        remaining = shown.left(len(relevant))
        candidates = {place: relevant[place] for place in remaining[: _pool_size(request)]}
        ids = [candidate.chunk_id for candidate in candidates.values()]
        passages = await routes.passages(conn, ids)
        told = await explanation(conn, prepared, ids) if request.explain else None
        return _PageCandidates(candidates, passages, len(remaining), told)

    def _check(self, request: SearchRequest) -> None:
        if not request.query.strip():
            raise InvalidInput("query", "is empty; say what to look for")
        if len(request.query) > self._limits.query_chars:
            raise InvalidInput("query", f"is longer than {self._limits.query_chars} characters")
        if request.since and request.until and request.since >= request.until:
            raise InvalidInput("since", "is not before until")
        _check_storable("query", request.query)
        _check_storable("path_prefix", check_prefix("path_prefix", request.path_prefix or ""))
        _check_storable("tags", *(request.tags or ()))

    def _relevant(
        self, ranked: Sequence[Candidate], min_score: float | None
    ) -> Sequence[Candidate]:
        """What reaches the floor. By default nothing does where even the best one falls short;
        beside a good one, what is a good deal less likely may still be of use."""
        if min_score is not None:
            return [each for each in ranked if each.score >= min_score]
        floor = self._settings.min_score
        if max((each.score for each in ranked), default=0.0) < floor:
            return []
        return [each for each in ranked if each.score >= floor * _BESIDE_A_GOOD_ONE]

    def _packed(
        self, page: "_PageCandidates", prepared: PreparedQuery, request: SearchRequest
    ) -> dict[int, SearchResult]:
        """The results by their places in the order: the first ones, or what a budget of tokens
        has room for; of a best one that is larger than the budget what matters."""
        found = {
            place: _result(candidate, page.passages[candidate.chunk_id])
            for place, candidate in page.candidates.items()
            if candidate.chunk_id in page.passages
        }
        if request.max_tokens is None:
            return dict(islice(found.items(), request.max_results))
        places = list(found)
        ranks = [page.candidates[place].rank for place in places]
        sizes = [self._tokens.count(found[place].text) for place in places]
        fitting = worth_most(ranks, sizes, request.max_tokens, request.max_results)
        lexemes = prepared.question.lexemes
        cut = {
            places[each]: self._cut(found[places[each]], request.max_tokens, lexemes)
            for each in fitting
        }
        return {place: result for place, result in cut.items() if result.text}

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
            citation=result.citation
            if result.source == "graph"
            else _citation(result.path, start + first, start + last),
        )


def _explained(
    result: SearchResult, candidate: Candidate, weights: Weights, told: Explanation
) -> SearchResult:
    return replace(
        result,
        scores=scores_of(candidate.signals),
        shares=shares_of(candidate.signals, weights),
        used=used_of(told.used.get(candidate.chunk_id)),
    )


def _with_explanations(
    results: Mapping[int, SearchResult], page: _PageCandidates, told: Explanation, weights: Weights
) -> dict[int, SearchResult]:
    """The results by their places, each with what made its rank."""
    by_id = {candidate.chunk_id: candidate for candidate in page.candidates.values()}
    return {
        place: _explained(result, by_id[int(result.id)], weights, told)
        for place, result in results.items()
    }


def _next_cursor(page: _PageCandidates, shown: Shown, results: Mapping[int, SearchResult]) -> str:
    """Where the next page begins; empty after the last one."""
    if not results or page.remaining <= len(results):
        return ""
    return shown.and_also(results).cursor


def _result(candidate: Candidate, passage: Passage) -> SearchResult:
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
        scores={},
        shares={},
        used={},
        citation=_cited(passage),
        trust=passage.trust,
        caution=caution(passage.trust, passage.told_by or "", passage.text)
        if passage.trust
        else "",
    )


def _cited(passage: Passage) -> str:
    """Where exactly the passage stands: lines, a message, or a version of a memory."""
    if passage.memory_version is not None:
        return f"{passage.path}@{passage.memory_version}"
    if passage.seq is not None:
        return f"{passage.path}#{passage.seq}"
    return _citation(passage.path, passage.start_line, passage.end_line)


def _is_still_true(answer: SearchAnswer) -> bool:
    return answer.ends_at is None or datetime.now(UTC) < answer.ends_at


def _citation(path: str, start_line: int, end_line: int) -> str:
    return f"{path}#L{start_line}-L{end_line}"


def _pool_size(request: SearchRequest) -> int:
    """How many of the best are candidates for a page: more than it holds where a budget chooses."""
    return request.max_results if request.max_tokens is None else max(POOL, request.max_results)


def _search_filter(request: SearchRequest) -> SearchFilter:
    return SearchFilter(
        sources=list(request.sources),
        path_prefix=request.path_prefix,
        tags=list(request.tags) if request.tags else None,
        since=request.since,
        until=request.until,
        as_of=request.as_of,
    )


def _check_storable(parameter: str, *texts: str) -> None:
    if not all(map(is_storable, texts)):
        raise InvalidInput(parameter, "holds NUL or is not UTF-8; nothing stored is like that")
