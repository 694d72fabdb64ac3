"""Recall of memories: the search's routes, what the named entities are near to, small priors."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import partial

from mcp_memory.config import LimitsConfig, SearchConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.errors import InvalidInput
from mcp_memory.graph.reading import store
from mcp_memory.graph.reading.models import (
    FoundMemory,
    GraphAnswer,
    GraphQuery,
    Instants,
    MemoryFilter,
)
from mcp_memory.graph.reading.service import answer, found_memories, pinned
from mcp_memory.graph.reading.store import Page
from mcp_memory.graph.traversal import store as traversal
from mcp_memory.graph.traversal.store import TraversalOptions
from mcp_memory.paging import from_cursor, instant_in_cursor, to_cursor
from mcp_memory.recall import entities, graph_proximity
from mcp_memory.recall.candidates import OF_PASSAGES, PreparedQuery, best_candidates
from mcp_memory.recall.graph_proximity import Reached
from mcp_memory.recall.models import Candidate, SearchFilter
from mcp_memory.recall.packing import RELATED_TOKENS, fitting, with_related
from mcp_memory.recall.question import read
from mcp_memory.spaces.service import Spaces
from mcp_memory.text.storable import is_storable
from mcp_memory.text.tokens import TokenCounter

_CURSOR = "recalled"
_MAX_CANDIDATES = 12_800
_BESIDE_A_GOOD_ONE = 0.6
_SEARCHED = ("hybrid", "recent", "important", "typed", "timeline")
_SORTS = {"recent": "recorded_at", "important": "importance", "timeline": "timeline"}


class MemoryRecall:
    """The memories of every named database, found by whatever an agent asks of them."""

    def __init__(
        self,
        databases: Databases,
        spaces: Spaces,
        settings: SearchConfig,
        limits: LimitsConfig,
        tokens: TokenCounter,
        zone: tzinfo,
    ) -> None:
        self._databases, self._spaces, self._tokens = databases, spaces, tokens
        self._settings, self._limits, self._zone = settings, limits, zone
        self._low = settings.min_score * _BESIDE_A_GOOD_ONE

    async def recall(
        self, agent: str, asked: GraphQuery, *, database: str | None = None
    ) -> GraphAnswer:
        """What answers, best first or in the mode's order; nothing when nothing is relevant."""
        self._check(asked)
        chosen = await self._databases.reading(database, agent)
        if not _is_searched(asked):
            return await chosen.read(agent, partial(self._within_budget, asked=asked))
        vector = await self._spaces.query_vector(chosen, asked.query)
        prepared = PreparedQuery(read(asked.query, now=datetime.now(UTC), zone=self._zone), vector)
        work = partial(self._within_budget, asked=asked, prepared=prepared)
        found = await chosen.read(agent, work)
        return replace(found, degraded=[vector.problem]) if vector.problem else found

    async def _within_budget(
        self, conn: Connection, asked: GraphQuery, prepared: PreparedQuery | None = None
    ) -> GraphAnswer:
        """The answer, of which no more is shown than there is room for."""
        found = await self._answer(conn, asked, prepared)
        fit = fitting(found.memories, asked.max_tokens, asked.query, self._tokens)
        if len(fit) < len(found.memories):
            # Again with the page that fits, so that the next one begins behind it.
            found = await self._answer(conn, replace(asked, limit=len(fit)), prepared)
        if not asked.include_related:
            return replace(found, memories=fit)
        used = sum(self._tokens.count(each.held.content) for each in fit)
        left = RELATED_TOKENS if asked.max_tokens is None else asked.max_tokens - used
        instants = asked.instants
        return replace(found, memories=await with_related(conn, fit, instants, left, self._tokens))

    async def _answer(
        self, conn: Connection, asked: GraphQuery, prepared: PreparedQuery | None
    ) -> GraphAnswer:
        if prepared is None:
            return await answer(conn, asked)
        return await self._searched(conn, asked, prepared)

    def _check(self, asked: GraphQuery) -> None:
        if asked.mode == "hybrid" and not asked.query.strip():
            raise InvalidInput("query", "is empty; say what to look for, or choose another mode")
        if asked.mode == "typed" and asked.wanted.memory_type is None:
            raise InvalidInput("memory_type", "is required for mode typed")
        if len(asked.query) > self._limits.query_chars:
            raise InvalidInput("query", f"is longer than {self._limits.query_chars} characters")
        _check_spans(asked.wanted)
        for name in ("query", "id", "entity", "related_to"):
            if not is_storable(str(getattr(asked, name))):
                raise InvalidInput(name, "holds NUL or is not UTF-8; nothing stored is like that")

    async def _searched(
        self, conn: Connection, asked: GraphQuery, prepared: PreparedQuery
    ) -> GraphAnswer:
        skip, instants = _start(asked)
        wanted = skip + asked.limit + 1
        reached = await _reached(conn, asked, instants)
        limit = OF_PASSAGES.hits
        # What is found by looking deeper comes after, so that it moves nothing that was shown.
        found: dict[int, FoundMemory] = {}
        while True:
            search_filter = _search_filter(asked, instants)
            candidates = await best_candidates(conn, prepared, search_filter, wanted=limit)
            for each in await self._relevant(conn, asked, instants, candidates, reached):
                found.setdefault(each.held.memory_id, each)
            # What lies deeper is no more relevant: only where all of a route is may more be.
            more = sum(each.score >= self._low for each in candidates) >= limit
            if len(found) >= wanted or not more or limit >= _MAX_CANDIDATES:
                break
            limit *= 4
        page = [*found.values()][skip : skip + asked.limit]
        cursor = await _next(conn, instants, skip + len(page)) if len(found) >= wanted else ""
        return GraphAnswer(memories=page, next_cursor=cursor)

    async def _relevant(
        self,
        conn: Connection,
        asked: GraphQuery,
        instants: Instants,
        candidates: Sequence[Candidate],
        reached: Mapping[int, Reached],
    ) -> list[FoundMemory]:
        """All that is relevant, in the order that is asked for."""
        of_chunks = await store.of_chunks(conn, [each.chunk_id for each in candidates])
        scored = graph_proximity.combined(candidates, of_chunks, reached)
        floor = self._settings.min_score
        best = max((each.score for each in scored.values()), default=0.0)
        if best < floor:
            return []
        ranks = {id: each.score for id, each in scored.items() if each.score >= self._low}
        sort = asked.sort_by or _SORTS.get(asked.mode, "rank")
        page = Page(sort, len(ranks))
        rows = await store.listed_among(conn, ranks, asked.wanted, instants, page)
        found = [
            replace(
                each, score=ranks[each.held.memory_id], routes=scored[each.held.memory_id].routes
            )
            for each in await found_memories(conn, rows)
        ]
        now = instants.as_of or datetime.now(UTC)
        return graph_proximity.ordered(found, now) if sort == "rank" else found


def _check_spans(wanted: MemoryFilter) -> None:
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise InvalidInput("since", "is not before until")
    after, before = wanted.happens_after, wanted.happens_before
    if after and before and after >= before:
        raise InvalidInput("happens_after", "is not before happens_before")


def _is_searched(asked: GraphQuery) -> bool:
    return asked.mode in _SEARCHED and bool(asked.query.strip())


async def _reached(conn: Connection, asked: GraphQuery, instants: Instants) -> dict[int, Reached]:
    """The memories near to the entities that the query names."""
    reached: dict[int, Reached] = {}
    named = await entities.named_in(conn, asked.query)
    if not named:
        return reached
    others = await traversal.others_share(conn)
    options = TraversalOptions(
        instants,
        others,
        most_edges=graph_proximity.MAX_EDGES,
        most_memories=graph_proximity.MAX_REACHED,
    )
    for entity in named:
        hops = await traversal.mentioning(conn, entity.entity_ids, graph_proximity.HOPS, options)
        graph_proximity.add(reached, hops, entity.mentions)
    return reached


def _search_filter(asked: GraphQuery, instants: Instants) -> SearchFilter:
    wanted = asked.wanted
    return SearchFilter(
        sources=["graph"],
        tags=list(wanted.tags) if wanted.tags else None,
        since=wanted.since,
        until=wanted.until,
        origins=[wanted.source] if wanted.source is not None else None,
        as_of=instants.as_of,
        known_at=instants.known_at,
        memory_types=[wanted.memory_type] if wanted.memory_type else None,
        min_importance=wanted.min_importance,
        min_confidence=wanted.min_confidence,
    )


def _start(asked: GraphQuery) -> tuple[int, Instants]:
    """How many were shown before, and as of when all pages are read."""
    if not asked.cursor:
        return 0, asked.instants
    match from_cursor(_CURSOR, asked.cursor):
        case [int() as skip, str() as as_of, str() as known_at] if 0 <= skip <= 10_000:
            return skip, Instants(instant_in_cursor(as_of), instant_in_cursor(known_at))
        case _:
            raise InvalidInput("cursor", "is not one of this tool")


async def _next(conn: Connection, instants: Instants, skip: int) -> str:
    now = await store.transaction_time(conn)
    first = pinned(instants, now)
    assert first.as_of is not None
    assert first.known_at is not None
    return to_cursor(_CURSOR, skip, first.as_of.isoformat(), first.known_at.isoformat())
