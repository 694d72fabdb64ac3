"""What an answer of memories has room for: memories first, then what is linked with them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mcp_memory.db.connection import Connection
from mcp_memory.graph.names import fact_id
from mcp_memory.graph.reading import store
from mcp_memory.graph.reading.models import (
    FactFilter,
    FactMatch,
    FactVersion,
    Instants,
    Neighbour,
)
from mcp_memory.graph.reading.store import FactLink, PageRange
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import query_lexemes
from mcp_memory.text.tokens import TokenCounter

# What is linked gets so much room when nobody says how much there is.
RELATED_TOKENS = 1000
_MAX_RELATED = 5


def fitting(
    found: Sequence[FactMatch], budget: int | None, query: str, tokens: TokenCounter
) -> list[FactMatch]:
    """As many as there is room for, in order; the first alone is cut to what there is."""
    if budget is None:
        return [*found]
    kept: list[FactMatch] = []
    left = budget
    for each in found:
        size = tokens.count(each.version.content)
        if size > left and kept:
            break
        kept.append(each if size <= left else _cut(each, left, query))
        left -= size
        if left <= 0:
            break
    return kept


def _cut(found: FactMatch, budget: int, query: str) -> FactMatch:
    text, _, _ = fit(found.version.content, budget, query_lexemes(query))
    return replace(found, version=replace(found.version, content=text))


async def with_related(
    conn: Connection,
    found: Sequence[FactMatch],
    instants: Instants,
    budget: int,
    tokens: TokenCounter,
) -> list[FactMatch]:
    """The memories with what is linked with each, while there is room.

    What the answer does not hold yet comes first; what it holds is told again in the room left.
    """
    places = {each.version.memory_id: place for place, each in enumerate(found)}
    links = await store.get_links(conn, [each.version for each in found], instants)
    links.sort(key=lambda link: places[link.memory_id])
    others = await _others(conn, links, instants)
    chosen = _chosen(links, places, others, budget, tokens)
    related: dict[int, list[Neighbour]] = {number: [] for number in places}
    for link in links:
        if link in chosen:
            related[link.memory_id].append(_linked(link, others[link.other_id]))
    return [replace(each, related=related[each.version.memory_id]) for each in found]


def _chosen(
    links: Sequence[FactLink],
    shown: Collection[int],
    others: Mapping[int, FactVersion],
    budget: int,
    tokens: TokenCounter,
) -> set[FactLink]:
    """The links there is room for: a few of each memory, first those to what is not shown yet."""
    told, chosen, left = set(shown), set[FactLink](), budget
    counts: Counter[int] = Counter()
    for again in (False, True):
        for link in links:
            other = others.get(link.other_id)
            if other is None or link in chosen or (link.other_id in told) is not again:
                continue
            size = tokens.count(other.content)
            if size <= left and counts[link.memory_id] < _MAX_RELATED:
                chosen.add(link)
                told.add(link.other_id)
                counts[link.memory_id] += 1
                left -= size
    return chosen


async def _others(
    conn: Connection, links: Sequence[FactLink], instants: Instants
) -> Mapping[int, FactVersion]:
    ranks = {link.other_id: 0.0 for link in links}
    page = PageRange("rank", len(ranks))
    rows = await store.list_among(conn, ranks, FactFilter(), instants, page)
    return {row.memory_id: row for row in rows}


def _linked(link: FactLink, other: FactVersion) -> Neighbour:
    direction = "" if not link.is_directed else "out" if link.forward else "in"
    return Neighbour(fact_id(other.memory_id), link.relation, other.content, direction)
