"""What a client's prompt may be about, by its words alone: routes, order and floor, no features.

A hook has no time for a model, nor to load what computes features; and nobody asked, so that it
had better be silent than wrong.
"""

from collections.abc import Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.search import routes
from mcp_memory.search.kinds import PROMPT, Filter, Hit, SearchResult
from mcp_memory.search.rank import foremost
from mcp_memory.text.terms import indexed_lexemes

# So many are looked at for what reaches the floor, of documents and facts.
_HITS = 30
_FILTER = Filter(sources=["documents", "graph"])


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
    is_long = len(lexemes) > PROMPT.long
    share = max(min_coverage, min(PROMPT.share, PROMPT.words / max(1, len(lexemes))))
    common = min(len(lexemes), PROMPT.common + is_long)
    return (
        hit.signals["coverage"] >= (share / 2 if is_long else share)
        and len(set(lexemes) & {*indexed_lexemes(text)}) >= common
    )
