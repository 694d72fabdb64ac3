"""The entity route: who or what a query names is found under its other names too.

A text that calls an entity by another name than the query does holds the words of the query as
well as if it had used them: the ranking is told so, and needs no number of its own for it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from mcp_memory.db.connection import Connection
from mcp_memory.graph.names import normal
from mcp_memory.graph.traversal import store
from mcp_memory.graph.traversal.store import KnownName
from mcp_memory.recall import routes
from mcp_memory.recall.features import Evidence
from mcp_memory.recall.models import Hit, SearchFilter
from mcp_memory.text.stopwords import STOP_WORDS
from mcp_memory.text.terms import lexemes

ROUTE = "entity"

_MAX_NAME_WORDS = 5
_MAX_QUERY_WORDS = 60
_MAX_NAMED = 4
_MAX_OTHER_NAMES = 4
# A text holds a name when it holds all of its words, but for what rounding takes away.
_HOLDS_ALL = 0.999


@dataclass(frozen=True, slots=True)
class Named:
    """An entity that a query names: by which lexemes, and how else it is called.

    `entity_ids` are several when agents share what they know of it; `mentions` counts to 1,000.
    """

    normal: str
    lexemes: frozenset[str]
    entity_ids: tuple[int, ...]
    other_names: tuple[str, ...]
    mentions: int


@dataclass(frozen=True, slots=True)
class Mentioned:
    """Chunks that mention the named entities, each with the query's words that stand for them."""

    hits: list[Hit]
    held: Mapping[int, frozenset[str]]


async def named_in(conn: Connection, query: str) -> list[Named]:
    """The entities known to the caller that the query names, the longest names first."""
    names = _possible_names(query)
    found = await store.known(conn, names) if names else []
    by_name: dict[str, list[KnownName]] = {}
    for each in found:
        by_name.setdefault(each.normal, []).append(each)
    named = [_named(name, by_name[name]) for name in by_name]
    named.sort(key=lambda each: (-len(each.lexemes), each.mentions, each.normal))
    return _without_parts(named)[:_MAX_NAMED]


def _possible_names(query: str) -> list[str]:
    """Every run of a few words, folded; a stop word alone is no name."""
    words = query.split()[:_MAX_QUERY_WORDS]
    runs = {
        normal(_without_ending(" ".join(words[start : start + length])))
        for length in range(1, _MAX_NAME_WORDS + 1)
        for start in range(len(words) - length + 1)
    }
    return sorted(runs - STOP_WORDS - {""})


def _without_ending(run: str) -> str:
    """`Ben's` names Ben."""
    bare = run.rstrip("?!.,;:\"')")
    return bare[:-2] if bare.endswith(("'s", "\u2019s")) else run


def _named(name: str, known: Sequence[KnownName]) -> Named:
    others = dict.fromkeys(each for entity in known for each in entity.names)
    return Named(
        normal=name,
        lexemes=frozenset(lexemes(name)),
        entity_ids=tuple(each.entity_id for each in known),
        other_names=tuple(
            islice((each for each in others if normal(each) != name), _MAX_OTHER_NAMES)
        ),
        mentions=max(each.mentions for each in known),
    )


def _without_parts(named: Iterable[Named]) -> list[Named]:
    """Of `New York` and `York` only the longer name is meant."""
    kept: list[Named] = []
    for each in named:
        if not any(each.lexemes < longer.lexemes for longer in kept):
            kept.append(each)
    return kept


async def mentioning(
    conn: Connection, named: Sequence[Named], search_filter: SearchFilter, limit: int
) -> Mentioned:
    """Chunks that mention what is named: memories that say so, and texts with another name."""
    held: dict[int, set[str]] = {}
    for entity in named:
        for chunk_id in await _chunks_of(conn, entity, search_filter, limit):
            held.setdefault(chunk_id, set()).update(entity.lexemes)
    hits = [Hit(chunk_id, {ROUTE: 1.0}) for chunk_id in held]
    return Mentioned(hits[:limit], {id: frozenset(words) for id, words in held.items()})


async def _chunks_of(
    conn: Connection, entity: Named, search_filter: SearchFilter, limit: int
) -> list[int]:
    found: list[int] = []
    if "graph" in search_filter.sources:
        found += await routes.mentioning(conn, entity.entity_ids, search_filter, limit)
    for name in entity.other_names:
        words = list(dict.fromkeys(lexemes(name)))
        hits = await routes.lexical(conn, words, search_filter, limit)
        found += (hit.chunk_id for hit in hits if hit.signals["coverage"] >= _HOLDS_ALL)
    return found


def credited(
    evidence: Sequence[Evidence], mentioned: Mentioned, wanted: Sequence[str]
) -> list[Evidence]:
    """The evidence, in which a chunk that mentions an entity holds the words that name it."""
    return [_credited(each, mentioned.held.get(each.chunk_id), wanted) for each in evidence]


def _credited(chunk: Evidence, words: frozenset[str] | None, wanted: Sequence[str]) -> Evidence:
    if not words:
        return chunk
    hits = [
        max(hit, 1.0) if word in words else hit
        for hit, word in zip(chunk.hits, wanted, strict=True)
    ]
    return chunk._replace(hits=hits)
