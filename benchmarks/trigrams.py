"""What PostgreSQL's pg_trgm would find where a question has a slip: as a route, and as a mender."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

import psycopg

from mcp_memory.postgres.connection import Connection
from mcp_memory.search import query
from mcp_memory.search.query import Query, weigh
from mcp_memory.text.terms import spellings

_HITS = 400


def install(url: str) -> None:
    """Make pg_trgm's functions known in the database of that URL."""
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm SCHEMA public")


_SIMILAR_TEXTS = """
SELECT c.id
FROM chunks c
CROSS JOIN unnest(%(words)s::text[], %(weights)s::real[]) w (word, weight)
WHERE c.source = 'transcripts'
GROUP BY c.id
ORDER BY sum(w.weight * word_similarity(w.word, c.text)) DESC, c.id DESC
LIMIT %(limit)s
"""


async def trigrams_alone(conn: Connection, asked: Query) -> list[int]:
    """Chunks by how much of each lexeme's letters stands in them, the rarest counting most."""
    rarity = await weigh(conn, asked.question.lexemes)
    parameters = {
        "words": list(rarity),
        "weights": [each.weight for each in rarity.values()],
        "limit": _HITS,
    }
    rows = await (await conn.execute(_SIMILAR_TEXTS, parameters)).fetchall()
    return [int(row[0]) for row in rows]


_SIMILAR_LEXEME = """
SELECT lexeme
FROM word_counts
WHERE visible(agent_id, shared) AND lexeme NOT LIKE '~%%' AND lexeme %% %(word)s
GROUP BY lexeme
ORDER BY similarity(lexeme, %(word)s) DESC, sum(chunks) DESC, lexeme
LIMIT 1
"""


async def _most_similar(conn: Connection, lexeme: str, _near: Sequence[str]) -> str | None:
    row = await (await conn.execute(_SIMILAR_LEXEME, {"word": lexeme})).fetchone()
    return None if row is None else str(row[0])


async def _corrected_else_similar(conn: Connection, lexeme: str, near: Sequence[str]) -> str | None:
    return await _CORRECTED(conn, lexeme, near) or await _most_similar(conn, lexeme, near)


def _at_least_itself(word: str) -> list[str]:
    """A word that our own spell correction leaves alone is asked for too."""
    return spellings(word) or [word]


_CORRECTED = query.correct_lexeme
_CORRECTORS = {"instead": _most_similar, "besides": _corrected_else_similar}


@contextmanager
def corrected_by_trigrams(how: str) -> Generator[None]:
    """An unknown word is read as the known one of most similar letters, in this block.

    `instead` of our own correction, or `besides`: only where that knows nothing.
    """
    query.correct_lexeme = _CORRECTORS[how]
    query.spellings = _at_least_itself
    try:
        yield
    finally:
        query.correct_lexeme, query.spellings = _CORRECTED, spellings


CORRECTORS: Mapping[str, str] = {
    "with a slip, mended by pg_trgm instead": "instead",
    "with a slip, mended by us, else by pg_trgm": "besides",
}
