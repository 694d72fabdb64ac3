"""Any local model of the sentence-transformers library; torch comes with it."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcp_memory.errors import DimensionMismatch, EmbeddingUnavailable
from mcp_memory.vectors.providers.base import EmbeddingSettings, import_extra, prefixes_for
from mcp_memory.vectors.providers.batching import EmbeddingThreads, batches, unit_rows

PROVIDER = "sentence-transformers"
DEFAULT_MODEL = "sentence-transformers/all-MiniLM-L6-v2"
CHARACTERS_PER_BATCH = 50_000
MEND = "pip install 'mcp-memory-postgres[sentence-transformers]'"


class LoadedModel(NamedTuple):
    """The library's model, and how long its vectors turned out to be."""

    model: Any
    dimensions: int


class SentenceTransformersEmbedder:
    """`model` is a folder, or a name looked up in `model_dir`, then in the library's own cache.

    A name that is nowhere on this machine is downloaded by the library, unless HF_HUB_OFFLINE
    says otherwise. Texts are cut at the model's own number of tokens, known after `open`. A
    smaller `dimensions` cuts the vectors, for models trained to be cut.
    """

    provider = PROVIDER

    def __init__(self, settings: EmbeddingSettings) -> None:
        self.model = settings.model or DEFAULT_MODEL
        self._location = _location_of(self.model, settings.model_dir)
        self._asked_dimensions = settings.dimensions
        self._batch_size = settings.batch_size
        self._prefixes = prefixes_for(
            self.model, query=settings.query_prefix, document=settings.document_prefix
        )
        self._threads = EmbeddingThreads()
        self._loading = threading.Lock()
        self._loaded: LoadedModel | None = None

    @property
    def dimensions(self) -> int:
        return self._require_model().dimensions

    @property
    def max_tokens(self) -> int | None:
        longest = self._require_model().model.max_seq_length
        return None if longest is None else int(longest)

    async def open(self) -> None:
        await self._threads.for_query(self._warm_model)

    async def aclose(self) -> None:
        self._loaded = None

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        return (await self._threads.for_query(self._encode, [self._prefixes.query + text]))[0]

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        await self.open()
        pieces = batches(
            [self._prefixes.document + text for text in texts],
            max_count=self._batch_size,
            max_characters=CHARACTERS_PER_BATCH,
        )
        rows = await self._threads.for_each(self._encode, pieces)
        return np.concatenate([np.empty((0, self.dimensions), np.float32), *rows])

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        loaded = self._warm_model()
        return unit_rows(
            self._raw_rows(loaded.model, texts),
            model=self.model,
            count=len(texts),
            dimensions=loaded.dimensions,
        )

    def _raw_rows(self, model: Any, texts: list[str]) -> NDArray[np.float32]:
        # prompt="" keeps the library from adding a model's default prompt to our prefixes.
        rows = model.encode(
            texts,
            prompt="",
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return np.asarray(rows, np.float32)

    def _require_model(self) -> LoadedModel:
        if self._loaded is None:
            raise EmbeddingUnavailable(
                PROVIDER, f"model {self.model!r} is not loaded before `open`."
            )
        return self._loaded

    def _warm_model(self) -> LoadedModel:
        if (model := self._loaded) is not None:
            return model
        with self._loading:
            if self._loaded is None:
                self._loaded = self._load()
            return self._loaded

    def _load(self) -> LoadedModel:
        library = import_extra("sentence_transformers", provider=PROVIDER, fix=MEND)
        try:
            model = library.SentenceTransformer(self._location, truncate_dim=self._asked_dimensions)
        except (OSError, ValueError) as exc:
            raise EmbeddingUnavailable(PROVIDER, f"cannot load {self.model!r}: {exc}") from exc
        found = self._raw_rows(model, ["dimensions"]).shape[1]
        if self._asked_dimensions not in (None, found):
            raise DimensionMismatch(self.model, self._asked_dimensions or found, found)
        return LoadedModel(model, found)


def _location_of(model: str, model_dir: Path | None) -> str:
    if model_dir is not None and (model_dir / model).is_dir():
        return str(model_dir / model)
    return model
