"""What retrieval models want to see before a query and before a document."""

import re
from typing import NamedTuple


class Prefixes(NamedTuple):
    """Put before each text of its kind; the separating space belongs to it."""

    query: str = ""
    document: str = ""


_PASSAGE_SEARCH = Prefixes("Represent this sentence for searching relevant passages: ")
_WEB_SEARCH = "Given a web search query, retrieve relevant passages that answer the query"

# The first pattern found in the model's name counts, so the special stands before the general.
KNOWN_PREFIXES: tuple[tuple[re.Pattern[str], Prefixes], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), prefixes)
    for pattern, prefixes in (
        (r"nomic-embed-text", Prefixes("search_query: ", "search_document: ")),
        (r"\be5-.*instruct", Prefixes(f"Instruct: {_WEB_SEARCH}\nQuery: ")),
        (r"\be5-", Prefixes("query: ", "passage: ")),
        (r"\bbge-(small|base|large)-en", _PASSAGE_SEARCH),
        (r"\bbge-(small|base|large)-zh", Prefixes("为这个句子生成表示以用于检索相关文章\uff1a")),
        (r"mxbai-embed-(large|xsmall)", _PASSAGE_SEARCH),
        (r"arctic-embed2|arctic-embed-[ml]-v2", Prefixes("query: ")),
        (r"arctic-embed", _PASSAGE_SEARCH),
        (r"embedding-?gemma", Prefixes("task: search result | query: ", "title: none | text: ")),
        (r"qwen3-embedding", Prefixes(f"Instruct: {_WEB_SEARCH}\nQuery:")),
    )
)


def prefixes_for(model: str, *, query: str | None = None, document: str | None = None) -> Prefixes:
    """The model's own prefixes, each replaced by a configured one; "" turns one off."""
    known = next((found for pattern, found in KNOWN_PREFIXES if pattern.search(model)), Prefixes())
    return Prefixes(
        known.query if query is None else query,
        known.document if document is None else document,
    )
