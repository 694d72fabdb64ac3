"""Other ways to rank the same passages, to compare the product's with: each a list of chunks.

Vectors alone, full text alone and their 0.7/0.3 mix are what other memory servers ship; the
product with one of its routes or features taken away shows what that is worth.
"""

from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from mcp_memory.app import App
from mcp_memory.memory.conversations import store
from mcp_memory.postgres.connection import Connection
from mcp_memory.search import candidates, features, query, routes
from mcp_memory.search.kinds import Filter, Hit, Weights, weights_for
from mcp_memory.search.query import Query, read_query, read_question
from mcp_memory.vectors.service import QueryVector

_HITS = 400
# Each corpus has a database of its own.
_SEARCH_FILTER = Filter(sources=["documents", "graph", "transcripts"])
_OF_VECTORS, _OF_WORDS = 0.7, 0.3


@dataclass(frozen=True, slots=True)
class Found:
    """A message or passage that came back, with the text it would cost."""

    id: str
    text: str


Ranking = Callable[[Connection, Query], Awaitable[list[int]]]
# What chunks are called, in their order.
Naming = Callable[[Connection, Sequence[int]], Awaitable[list[Found]]]


async def vectors_alone(conn: Connection, asked: Query) -> list[int]:
    """Chunks by their cosine."""
    return [
        hit.chunk_id for hit in await routes.semantic(conn, asked.vector, _SEARCH_FILTER, _HITS)
    ]


_FULL_TEXT = """
SELECT id
FROM chunks
WHERE lexemes @@ as_query(%(lexemes)s)
ORDER BY ts_rank(lexemes, as_query(%(lexemes)s)) DESC, id DESC
LIMIT %(limit)s
"""


async def full_text_alone(conn: Connection, asked: Query) -> list[int]:
    """Chunks that hold any of the words, by PostgreSQL's own `ts_rank`."""
    parameters = {"lexemes": asked.question.lexemes, "limit": _HITS}
    return [int(row[0]) for row in await (await conn.execute(_FULL_TEXT, parameters)).fetchall()]


async def words_alone(conn: Connection, asked: Query) -> list[int]:
    """Chunks by BM25."""
    hits = await routes.lexical(conn, asked.question.lexemes, _SEARCH_FILTER, _HITS)
    return [hit.chunk_id for hit in hits]


async def mixed(conn: Connection, asked: Query) -> list[int]:
    """Chunks by 0.7 of the cosine and 0.3 of BM25, each scaled by the question's best."""
    lexemes = asked.question.lexemes
    by_meaning = await routes.semantic(conn, asked.vector, _SEARCH_FILTER, _HITS)
    by_words = await routes.lexical(conn, lexemes, _SEARCH_FILTER, _HITS)
    scores: dict[int, float] = {}
    _add(scores, by_meaning, "semantic", _OF_VECTORS)
    _add(scores, by_words, "lexical", _OF_WORDS)
    return sorted(scores, key=lambda chunk_id: -scores[chunk_id])


def _add(scores: dict[int, float], hits: Sequence[Hit], signal: str, share: float) -> None:
    best = max((hit.signals[signal] for hit in hits), default=0.0)
    for hit in hits if best > 0 else ():
        worth = share * hit.signals[signal] / best
        scores[hit.chunk_id] = scores.get(hit.chunk_id, 0.0) + worth


async def without_vectors(conn: Connection, asked: Query) -> list[int]:
    """The product's order without the semantic route."""
    return await _ranked(conn, replace(asked, vector=QueryVector()))


async def without_words(conn: Connection, asked: Query) -> list[int]:
    """The product's order without the lexical route and its features."""
    return await _ranked(conn, replace(asked, question=replace(asked.question, lexemes=[])))


async def _ranked(conn: Connection, asked: Query) -> list[int]:
    return await _order(conn, await read_query(conn, asked.question, asked.vector))


async def _order(conn: Connection, asked: Query) -> list[int]:
    look = await candidates.candidates(conn, asked, _SEARCH_FILTER, at_least=_HITS)
    return [candidate.chunk_id for candidate in look.ranked]


RANKINGS: dict[str, Ranking] = {
    "vectors alone": vectors_alone,
    "full text alone (ts_rank)": full_text_alone,
    "0.7 vectors + 0.3 BM25": mixed,
}


async def without_times(conn: Connection, asked: Query) -> list[int]:
    """The product's order without the route of days and months."""
    return await _ranked(conn, replace(asked, question=replace(asked.question, marks=[])))


async def without_anchors(conn: Connection, asked: Query) -> list[int]:
    """The product's order without what a question names by a pull request, a file and the like."""
    asked = await read_query(conn, asked.question, asked.vector)
    return await _order(conn, replace(asked, question=replace(asked.question, text="")))


async def without_spell_correction(conn: Connection, asked: Query) -> list[int]:
    """The product's order of a question that is taken by the letter."""
    with nothing_corrected():
        return await _ranked(conn, asked)


@contextmanager
def nothing_corrected() -> Generator[None]:
    """Questions are taken by the letter, in this block."""
    spellings = query.spellings
    query.spellings = _no_spellings
    try:
        yield
    finally:
        query.spellings = spellings


def _no_spellings(_word: str) -> list[str]:
    return []


def without_feature(name: str) -> Ranking:
    """The product's order with that feature worth nothing, the others as they are."""

    def poorer(provider: str) -> Weights:
        weights = weights_for(provider)
        return replace(weights, features=weights.features | {name: 0.0})

    async def ranking(conn: Connection, asked: Query) -> list[int]:
        candidates.weights_for = poorer
        try:
            return await _ranked(conn, asked)
        finally:
            candidates.weights_for = weights_for

    return ranking


# What `--without` takes away: a route, or a feature whose weights are not learned anew for it.
WITHOUT: dict[str, Ranking] = {
    "vectors": without_vectors,
    "words": without_words,
    "times": without_times,
    "anchors": without_anchors,
    "mending": without_spell_correction,
} | {name: without_feature(name) for name in features.NAMES}


def rankings(without: Sequence[str], *, alone: bool) -> dict[str, Ranking]:
    """What the product is compared with: the others, and itself without each of these."""
    ablated = {f"product without {name}": WITHOUT[name] for name in without}
    return ablated if alone else RANKINGS | ablated


async def messages_of(conn: Connection, chunk_ids: Sequence[int]) -> list[Found]:
    """The messages of these chunks, by their ids."""
    messages = await store.of_chunks(conn, chunk_ids)
    known = [messages[each][1] for each in chunk_ids if each in messages]
    return [Found(each.id, each.content) for each in known]


async def ranked(
    app: App,
    agent: str,
    text: str,
    ranking: Ranking,
    *,
    database: str,
    most: int,
    naming: Naming = messages_of,
) -> list[Found]:
    """The first messages or passages by this ranking, each once, by its best chunk."""
    chosen = await app.databases.reading(database, agent)
    vector = await app.spaces.query_vector(chosen, text)
    asked = Query(read_question(text, now=datetime.now(UTC), zone=UTC), vector)
    async with chosen.reading(agent) as conn:
        found = await naming(conn, await ranking(conn, asked))
    return list({each.id: each for each in found}.values())[:most]
