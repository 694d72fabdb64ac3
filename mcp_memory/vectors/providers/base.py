"""What every embedding provider offers, and the settings it is opened from."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol

from mcp_memory.errors import EmbeddingUnavailable

if TYPE_CHECKING:
    # numpy takes a tenth of a second to import: a server that embeds nothing never pays it.
    import numpy as np
    from numpy.typing import NDArray


Provider = Literal["auto", "hashing", "minilm", "sentence-transformers", "openai"]


@dataclass(frozen=True, slots=True)
class EmbeddingSettings:
    """The section `embeddings` of the configuration; None means the provider's own default."""

    provider: Provider = "auto"
    model: str | None = None
    model_dir: Path | None = None
    base_url: str | None = None
    api_key: str | None = field(default=None, repr=False)
    dimensions: int | None = None
    batch_size: int = 64
    timeout_seconds: float = 30.0
    query_prefix: str | None = None
    document_prefix: str | None = None


class Embedder(Protocol):
    """Turns text into vectors of unit length, in one space named by provider, model, dimensions.

    The same text gives the same vector, alone or in a batch, within 1e-4 in each coordinate
    (exactly for `hashing`). Empty text gives a vector too. A text longer than `max_tokens` is
    cut there: only its beginning is embedded, so callers chunk first.

    Failures are `EmbeddingUnavailable` (try later, or install something), `EmbeddingRefused`
    (these texts will not be embedded, however often they are sent), `DimensionMismatch`, and
    plain `EmbeddingError` for vectors that are zero or not numbers. A call gives all its vectors
    or raises.
    """

    @property
    def provider(self) -> str: ...

    @property
    def model(self) -> str: ...

    @property
    def dimensions(self) -> int:
        """The length of each vector. Raises `EmbeddingUnavailable` where only `open` can know."""
        ...

    @property
    def max_tokens(self) -> int | None:
        """How many tokens of a text are read; None where there is no limit, or it is not known."""
        ...

    async def open(self) -> None:
        """Makes the model warm and `dimensions` known. Optional before embedding; repeatable."""
        ...

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row for each text, in their order."""
        ...

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        """One vector, comparable with those of documents. Never queues behind documents."""
        ...

    async def aclose(self) -> None:
        """Frees model and connections. Repeatable."""
        ...


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


def import_extra(module: str, *, provider: str, fix: str) -> ModuleType:
    """The module, or `EmbeddingUnavailable` with the command that installs it.

    A module that is there but fails to load (a missing system library) says why, too.
    """
    try:
        return import_module(module)
    except ImportError as exc:
        raise EmbeddingUnavailable(provider, f"{exc}. Run: {fix}") from exc
