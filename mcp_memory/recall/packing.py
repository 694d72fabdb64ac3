"""What an answer of memories has room for: memories first, then what is linked with them."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from mcp_memory.db.connection import Connection
from mcp_memory.graph.names import memory_id
from mcp_memory.graph.reading import store
from mcp_memory.graph.reading.models import (
    FoundMemory,
    Held,
    Instants,
    LinkedMemory,
    MemoryFilter,
)
from mcp_memory.graph.reading.store import Linked, Page
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import query_lexemes
from mcp_memory.text.tokens import TokenCounter

# What is linked gets so much room when nobody says how much there is.
RELATED_TOKENS = 1000
_MAX_RELATED = 5


def fitting(
    found: Sequence[FoundMemory], budget: int | None, query: str, tokens: TokenCounter
) -> list[FoundMemory]:
    """As many as there is room for, in order; the first alone is cut to what there is."""
    if budget is None:
        return [*found]
    kept: list[FoundMemory] = []
    left = budget
    for each in found:
        size = tokens.count(each.held.content)
        if size > left and kept:
            break
        kept.append(each if size <= left else _cut(each, left, query))
        left -= size
        if left <= 0:
            break
    return kept


def _cut(found: FoundMemory, budget: int, query: str) -> FoundMemory:
    text, _, _ = fit(found.held.content, budget, query_lexemes(query))
    return replace(found, held=replace(found.held, content=text))


async def with_related(
    conn: Connection,
    found: Sequence[FoundMemory],
    instants: Instants,
    budget: int,
    tokens: TokenCounter,
) -> list[FoundMemory]:
    """The memories with what is linked with each, while there is room.

    What the answer does not hold yet comes first; what it holds is told again in the room left.
    """
    places = {each.held.memory_id: place for place, each in enumerate(found)}
    links = await store.links_of(conn, [each.held for each in found], instants)
    links.sort(key=lambda link: places[link.memory_id])
    others = await _others(conn, links, instants)
    chosen = _chosen(links, places, others, budget, tokens)
    related: dict[int, list[LinkedMemory]] = {number: [] for number in places}
    for link in links:
        if link in chosen:
            related[link.memory_id].append(_linked(link, others[link.other_id]))
    return [replace(each, related=related[each.held.memory_id]) for each in found]


def _chosen(
    links: Sequence[Linked],
    shown: Collection[int],
    others: Mapping[int, Held],
    budget: int,
    tokens: TokenCounter,
) -> set[Linked]:
    """The links there is room for: a few of each memory, first those to what is not shown yet."""
    told, chosen, left = set(shown), set[Linked](), budget
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
    conn: Connection, links: Sequence[Linked], instants: Instants
) -> Mapping[int, Held]:
    ranks = {link.other_id: 0.0 for link in links}
    page = Page("rank", len(ranks))
    rows = await store.listed_among(conn, ranks, MemoryFilter(), instants, page)
    return {row.memory_id: row for row in rows}


def _linked(link: Linked, other: Held) -> LinkedMemory:
    direction = "" if not link.is_directed else "out" if link.forward else "in"
    return LinkedMemory(memory_id(other.memory_id), link.relation, other.content, direction)
