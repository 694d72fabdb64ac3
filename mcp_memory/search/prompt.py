"""What a client's prompt may be about, by its words alone: routes, order and floor, no features.

A hook has no time for a model, nor to load what computes features; and nobody asked, so that it
had better be silent than wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_memory.postgres.connection import Connection
from mcp_memory.search import routes
from mcp_memory.search.kinds import Filter, Hit, SearchResult
from mcp_memory.search.rank import foremost
from mcp_memory.text.terms import index_lexemes

# So many are looked at for what reaches the floor, of documents and facts.
_HITS = 30
_FILTER = Filter(sources=["documents", "graph"])


@dataclass(frozen=True, slots=True)
class WordFloor:
    """What a text must hold of a query's words where vectors take no part and nobody asked.

    At least `share` of their rarity, but never more than `words` average words would hold; of a
    query of more than `long` words half of that. `common` words in common are the least, one more
    where the query is long: one alone is chance.
    """

    share: float
    words: float
    common: int
    long: int


# A client's prompt, before which a hook puts what is remembered. Set by hand on prompts of coding
# sessions: a question of six words is answered by two of them (.35), and in a prompt of a page the
# two or three rare words that a note holds are a small share of it.
_PROMPT = WordFloor(share=0.35, words=2.2, common=2, long=10)


async def search_by_words(
    conn: Connection, lexemes: Sequence[str], min_coverage: float, most: int
) -> list[SearchResult]:
    """The passages that are about these words of a prompt, best first."""
    by_route = {"lexical": await routes.lexical(conn, lexemes, _FILTER, _HITS)}
    hits = {hit.chunk_id: hit for hit in by_route["lexical"]}
    passages = await routes.passages(conn, [*hits])
    best = [chunk_id for chunk_id in foremost(by_route) if chunk_id in passages]
    relevant = [
        passages[chunk_id]
        for chunk_id in best
        if is_about(lexemes, hits[chunk_id], passages[chunk_id].text, min_coverage)
    ]
    return relevant[:most]


def is_about(lexemes: Sequence[str], hit: Hit, text: str, min_coverage: float) -> bool:
    """Whether a text holds enough of a prompt's words, and of its rare ones."""
    is_long = len(lexemes) > _PROMPT.long
    share = max(min_coverage, min(_PROMPT.share, _PROMPT.words / max(1, len(lexemes))))
    common = min(len(lexemes), _PROMPT.common + is_long)
    return (
        hit.signals["coverage"] >= (share / 2 if is_long else share)
        and len(set(lexemes) & {*index_lexemes(text)}) >= common
    )


_DOCUMENT = """
SELECT v.content
FROM documents d
JOIN document_versions v ON v.document_id = d.id AND v.version = d.version
WHERE d.agent_id = current_agent() AND d.path = %(path)s AND d.deleted_at IS NULL
"""


async def document(conn: Connection, path: str) -> str:
    """The caller's own document of that path; empty when there is none."""
    row = await (await conn.execute(_DOCUMENT, {"path": path})).fetchone()
    return "" if row is None else str(row[0])
