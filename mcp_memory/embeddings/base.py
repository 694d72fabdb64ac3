"""What every embedding provider offers, and the settings it is opened from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

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
