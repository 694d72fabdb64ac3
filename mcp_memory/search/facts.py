"""Recall of facts: the same pipeline, what the named entities are near to, and one set of priors.

A fact that mentions a named entity is relevant by that alone, unless the entity is mentioned
everywhere; each relation on the way halves it. Importance and age only order what is about as
relevant.
"""

import math
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from mcp_memory.errors import InvalidInput
from mcp_memory.memory.facts import rows as facts_rows
from mcp_memory.memory.facts import traversal
from mcp_memory.memory.facts.model import fact_id
from mcp_memory.memory.facts.query import (
    FactAnswer,
    FactFilter,
    FactMatch,
    FactQuery,
    FactVersion,
    Instants,
    Neighbour,
)
from mcp_memory.memory.facts.read import answer_query, pin, to_matches
from mcp_memory.memory.facts.rows import FactLink, PageRange
from mcp_memory.memory.facts.traversal import TraversalOptions
from mcp_memory.paging import from_cursor, instant_in_cursor, to_cursor
from mcp_memory.postgres.connection import Connection
from mcp_memory.search import rank
from mcp_memory.search.candidates import candidates, widening
from mcp_memory.search.kinds import FACTS, HALF_LIFE_DAYS, Candidate, Filter
from mcp_memory.search.pack import pack
from mcp_memory.search.query import NamedEntity, Query
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import query_lexemes
from mcp_memory.text.tokens import TokenCounter

_CURSOR = "recalled"
_SEARCHED = ("hybrid", "recent", "important", "typed", "timeline")
_SORTS = {"recent": "recorded_at", "important": "importance", "timeline": "timeline"}

# How far from a named entity, and how much of its neighbourhood, a recall looks: beyond two
# relations nearly everything is near to everything, and a hub's newest ten edges are enough.
_HOPS = 2
_MAX_EDGES = 10
_MAX_REACHED = 200
# How likely a fact is relevant for mentioning a named entity, set by hand above the floor; each
# relation between leaves half of it.
_MENTIONED = 0.45
_STEP = 0.5
# So often an entity is mentioned that the mention says nothing.
_EVERYWHERE = 1000
# What is linked gets so much room when nobody says how much there is; of each fact a few links.
_RELATED_TOKENS = 1000
_MAX_RELATED = 5


def is_searched(asked: FactQuery) -> bool:
    """Whether the question is answered by a search, and not by reading a list."""
    return asked.mode in _SEARCHED and bool(asked.query.strip())


async def recall_facts(
    conn: Connection,
    asked: FactQuery,
    query: Query | None,
    floor: float,
    tokens: TokenCounter,
) -> FactAnswer:
    """The answer, of which no more is shown than there is room for; None searches nothing."""
    page = await _page(conn, asked, query, floor)
    facts = _within(page.matches, asked.max_tokens, asked.query, tokens)
    if len(facts) < len(page.matches):
        # Again with the page that fits, so that the next one begins behind it.
        page = await _page(conn, replace(asked, limit=len(facts)), query, floor)
    if not asked.include_related:
        return replace(page, matches=facts)
    used = sum(tokens.count(fact.version.content) for fact in facts)
    left = _RELATED_TOKENS if asked.max_tokens is None else asked.max_tokens - used
    return replace(page, matches=await _with_related(conn, facts, asked.instants, left, tokens))


async def _page(
    conn: Connection, asked: FactQuery, query: Query | None, floor: float
) -> FactAnswer:
    if query is None:
        return await answer_query(conn, asked)
    return await _search(conn, asked, query, floor)


@dataclass(frozen=True, slots=True)
class Relevance:
    """How likely a fact is relevant, and which routes led to it."""

    memory_id: int
    score: float
    routes: tuple[str, ...]


async def _search(conn: Connection, asked: FactQuery, query: Query, floor: float) -> FactAnswer:
    skip, instants = _start(asked)
    wanted = skip + asked.limit + 1
    nearby = await _nearby(conn, query.entities, instants)
    # What is found by looking deeper comes after, so that it moves nothing that was shown.
    facts: dict[int, FactMatch] = {}
    for limit in widening(FACTS.hits):
        look = await candidates(conn, query, _filter(asked, instants), at_least=limit)
        for fact in await _relevant(conn, asked, instants, look.ranked, nearby, floor):
            facts.setdefault(fact.version.memory_id, fact)
        # What lies deeper is no more relevant: only where all of a route is may more be.
        low = floor * FACTS.beside
        has_more = sum(candidate.score >= low for candidate in look.ranked) >= limit
        if len(facts) >= wanted or not has_more:
            break
    page = [*facts.values()][skip : skip + asked.limit]
    cursor = await _next_cursor(conn, instants, skip + len(page)) if len(facts) >= wanted else ""
    return FactAnswer(matches=page, next_cursor=cursor)


async def _relevant(
    conn: Connection,
    asked: FactQuery,
    instants: Instants,
    ranked: Sequence[Candidate],
    nearby: Mapping[int, Relevance],
    floor: float,
) -> list[FactMatch]:
    """All that is relevant, in the order that is asked for."""
    of_chunks = await facts_rows.get_facts_of_chunks(
        conn, [candidate.chunk_id for candidate in ranked]
    )
    kept = rank.relevant(combine(ranked, of_chunks, nearby), floor, FACTS)
    by_fact = {its.memory_id: its for its in kept}
    scores = {number: its.score for number, its in by_fact.items()}
    sort = asked.sort_by or _SORTS.get(asked.mode, "rank")
    rows = await facts_rows.list_among(
        conn, scores, asked.filter, instants, PageRange(sort, len(scores))
    )
    facts = [
        replace(fact, score=its.score, routes=its.routes)
        for fact in await to_matches(conn, rows)
        for its in [by_fact[fact.version.memory_id]]
    ]
    return by_rank(facts) if sort == "rank" else facts


async def _nearby(
    conn: Connection, entities: Sequence[NamedEntity], instants: Instants
) -> dict[int, Relevance]:
    """The facts near to the entities that the query names."""
    nearby: dict[int, Relevance] = {}
    if not entities:
        return nearby
    options = TraversalOptions(
        instants,
        await traversal.others_share(conn),
        most_edges=_MAX_EDGES,
        most_facts=_MAX_REACHED,
    )
    for entity in entities:
        hops = await traversal.find_mentioning(conn, entity.entity_ids, _HOPS, options)
        nearby = _add(nearby, hops, entity.mentions)
    return nearby


def _add(
    nearby: Mapping[int, Relevance], hops: Mapping[int, int], mentions: int
) -> dict[int, Relevance]:
    """With the facts around an entity that is mentioned so often; proximity adds up."""
    rarity = 1 - min(1.0, math.log1p(mentions) / math.log1p(_EVERYWHERE))
    more = dict(nearby)
    for number, hop in hops.items():
        before = more.get(number)
        near = _MENTIONED * rarity * _STEP**hop
        is_mention = hop == 0 or (before is not None and "entity" in before.routes)
        routes = ("entity",) if is_mention else ("neighbour",)
        score = near if before is None else rank.either(before.score, near)
        more[number] = Relevance(number, score, routes)
    return more


def combine(
    ranked: Sequence[Candidate], of_chunks: Mapping[int, int], nearby: Mapping[int, Relevance]
) -> list[Relevance]:
    """Each fact by its best chunk and by how near it is: by the one or by the other."""
    best: dict[int, Candidate] = {}
    for candidate in sorted(ranked, key=lambda candidate: -candidate.score):
        number = of_chunks.get(candidate.chunk_id)
        if number is not None:
            best.setdefault(number, candidate)
    relevance = dict(nearby)
    for number, candidate in best.items():
        near = relevance.get(number, Relevance(number, 0.0, ()))
        routes = tuple(sorted({*candidate.routes, *near.routes}))
        score = rank.either(candidate.score, near.score)
        relevance[number] = Relevance(number, score, routes)
    return [*relevance.values()]


def by_rank(facts: Sequence[FactMatch]) -> list[FactMatch]:
    """The most relevant first; what is more important or newer goes before its equals."""
    newest = max((_since(fact.version) for fact in facts), default=0.0)

    def number(fact: FactMatch) -> float:
        days = (newest - _since(fact.version)) / 86_400
        priors = {"recency": 0.5 ** (days / HALF_LIFE_DAYS), "importance": fact.version.importance}
        return rank.with_priors(fact.score, priors)

    return sorted(facts, key=lambda fact: (-number(fact), -fact.version.memory_id))


def _since(version: FactVersion) -> float:
    """When it happened or began to be true; else when it was stored."""
    return (version.occurred_at or version.valid_from or version.recorded_at).timestamp()


def check_facts(asked: FactQuery) -> None:
    """`InvalidInput` for what no fact can answer."""
    if asked.mode == "hybrid" and not asked.query.strip():
        raise InvalidInput("query", "is empty; say what to look for, or choose another mode")
    if asked.mode == "typed" and asked.filter.memory_type is None:
        raise InvalidInput("memory_type", "is required for mode typed")
    filter = asked.filter
    if filter.since and filter.until and filter.since >= filter.until:
        raise InvalidInput("since", "is not before until")
    after, before = filter.happens_after, filter.happens_before
    if after and before and after >= before:
        raise InvalidInput("happens_after", "is not before happens_before")


def _filter(asked: FactQuery, instants: Instants) -> Filter:
    narrow = asked.filter
    return Filter(
        sources=["graph"],
        tags=list(narrow.tags) if narrow.tags else None,
        since=narrow.since,
        until=narrow.until,
        origins=[narrow.source] if narrow.source is not None else None,
        as_of=instants.as_of,
        known_at=instants.known_at,
        memory_types=[narrow.memory_type] if narrow.memory_type else None,
        min_importance=narrow.min_importance,
        min_confidence=narrow.min_confidence,
    )


def _start(asked: FactQuery) -> tuple[int, Instants]:
    """How many were shown before, and as of when all pages are read."""
    if not asked.cursor:
        return 0, asked.instants
    match from_cursor(_CURSOR, asked.cursor):
        case [int() as skip, str() as as_of, str() as known_at] if 0 <= skip <= 10_000:
            return skip, Instants(instant_in_cursor(as_of), instant_in_cursor(known_at))
        case _:
            raise InvalidInput("cursor", "is not one of this tool")


async def _next_cursor(conn: Connection, instants: Instants, skip: int) -> str:
    now = await facts_rows.transaction_time(conn)
    first = pin(instants, now)
    assert first.as_of is not None
    assert first.known_at is not None
    return to_cursor(_CURSOR, skip, first.as_of.isoformat(), first.known_at.isoformat())


def _within(
    facts: Sequence[FactMatch], budget: int | None, query: str, tokens: TokenCounter
) -> list[FactMatch]:
    """As many as there is room for, in order; the first alone is cut to what there is."""
    if budget is None:
        return [*facts]
    sizes = [tokens.count(fact.version.content) for fact in facts]
    kept = [facts[index] for index in pack(sizes, budget, len(facts))]
    if kept and sizes[0] > budget:
        text, _, _ = fit(kept[0].version.content, budget, query_lexemes(query))
        return [replace(kept[0], version=replace(kept[0].version, content=text))]
    return kept


async def _with_related(
    conn: Connection,
    facts: Sequence[FactMatch],
    instants: Instants,
    budget: int,
    tokens: TokenCounter,
) -> list[FactMatch]:
    """The facts with what is linked with each, while there is room.

    What the answer does not hold yet comes first; what it holds is repeated in the room left.
    """
    order = {fact.version.memory_id: index for index, fact in enumerate(facts)}
    links = await facts_rows.get_links(conn, [fact.version for fact in facts], instants)
    links.sort(key=lambda link: order[link.memory_id])
    others = await _others(conn, links, instants)
    fitting = _links_within(links, order, others, budget, tokens)
    related: dict[int, list[Neighbour]] = {number: [] for number in order}
    for link in links:
        if link in fitting:
            related[link.memory_id].append(_neighbour(link, others[link.other_id]))
    return [replace(fact, related=related[fact.version.memory_id]) for fact in facts]


def _links_within(
    links: Sequence[FactLink],
    shown: Collection[int],
    others: Mapping[int, FactVersion],
    budget: int,
    tokens: TokenCounter,
) -> set[FactLink]:
    """The links there is room for: a few of each fact, first those to what is not shown yet."""
    visible, fitting, left = set(shown), set[FactLink](), budget
    counts: Counter[int] = Counter()
    for is_again in (False, True):
        for link in links:
            other = others.get(link.other_id)
            is_shown = link.other_id in visible
            if other is None or link in fitting or is_shown is not is_again:
                continue
            size = tokens.count(other.content)
            if size <= left and counts[link.memory_id] < _MAX_RELATED:
                fitting.add(link)
                visible.add(link.other_id)
                counts[link.memory_id] += 1
                left -= size
    return fitting


async def _others(
    conn: Connection, links: Sequence[FactLink], instants: Instants
) -> Mapping[int, FactVersion]:
    ranks = {link.other_id: 0.0 for link in links}
    page = PageRange("rank", len(ranks))
    rows = await facts_rows.list_among(conn, ranks, FactFilter(), instants, page)
    return {row.memory_id: row for row in rows}


def _neighbour(link: FactLink, other: FactVersion) -> Neighbour:
    direction = "" if not link.is_directed else "out" if link.forward else "in"
    return Neighbour(fact_id(other.memory_id), link.relation, other.content, direction)
