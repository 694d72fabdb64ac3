"""all-MiniLM-L6-v2 in int8 on CTranslate2: the local model that needs neither torch nor a hub."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.vectors.providers.base import import_extra
from mcp_memory.vectors.providers.batching import EmbeddingThreads, runs_of_equal_length, unit_rows
from mcp_memory.vectors.providers.minilm_files import (
    DIMENSIONS,
    INSTALL_COMMAND,
    MAX_TOKENS,
    MODEL,
    TOKENIZER,
    is_complete,
    model_folder,
)

# Small batches on one thread each, side by side, are twice as fast as large ones on all threads,
# and between them a query gets its turn. Texts of one length only: padding changes the rounding
# to int8, and moved a vector by up to .002 of cosine; doing without costs no speed.
TEXTS_PER_BATCH = 8
MAX_WORKERS = 4
# Tokenizing a megabyte takes two seconds, for 256 tokens that stand in its first kilobytes.
MAX_TEXT_CHARS = 32_768


class Model(NamedTuple):
    """The loaded libraries' objects; both are safe to call from several threads."""

    tokenizer: Any
    encoder: Any


class MiniLMEmbedder:
    """The weights load at the first call (or `open`) and stay, until `aclose`.

    Texts are cut at 256 tokens, two of them the model's own marks, and before that at 32,768
    characters: 256 tokens of prose are some 1,200. A batch differs from the text alone only by
    rounding. `batch_size` may lower the number of texts in a batch.
    """

    provider = "minilm"
    model = MODEL
    dimensions = DIMENSIONS
    max_tokens = MAX_TOKENS

    def __init__(self, model_dir: Path, *, batch_size: int = TEXTS_PER_BATCH) -> None:
        self._folder = model_folder(model_dir)
        self._batch_size = min(batch_size, TEXTS_PER_BATCH)
        self._threads = EmbeddingThreads(min(os.cpu_count() or 1, MAX_WORKERS))
        self._loading = threading.Lock()
        self._model: Model | None = None

    async def open(self) -> None:
        await self._threads.for_query(self._warm_model)

    async def aclose(self) -> None:
        self._model = None

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        return (await self._threads.for_query(self._embed_alone, text))[0]

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        if not texts:
            return rows
        tokens = await self._threads.for_documents(self._tokenize, texts)
        lengths = [len(ids) for ids in tokens]
        runs = list(runs_of_equal_length(lengths, max_count=self._batch_size))
        batches = [[tokens[position] for position in run] for run in runs]
        for run, vectors in zip(
            runs, await self._threads.for_each(self._encode, batches), strict=True
        ):
            rows[run] = vectors
        return rows

    def _embed_alone(self, text: str) -> NDArray[np.float32]:
        return self._encode(self._tokenize([text]))

    def _tokenize(self, texts: Sequence[str]) -> list[list[int]]:
        encodings = self._warm_model().tokenizer.encode_batch_fast(
            [text[:MAX_TEXT_CHARS] for text in texts]
        )
        return [encoding.ids for encoding in encodings]

    def _encode(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        output = self._warm_model().encoder.forward_batch(tokens)
        hidden: NDArray[np.float32] = np.array(output.last_hidden_state)
        rows = hidden.mean(axis=1)  # every token counts: texts of one length have no padding
        return unit_rows(rows, model=MODEL, count=len(tokens), dimensions=DIMENSIONS)

    def _warm_model(self) -> Model:
        if (model := self._model) is not None:
            return model
        with self._loading:
            if self._model is None:
                self._model = load_model(self._folder, workers=self._threads.document_threads + 1)
            return self._model


def load_model(folder: Path, *, workers: int) -> Model:
    """The model in the folder, for so many calls at a time."""
    ctranslate2 = import_extra("ctranslate2", provider="minilm", fix=INSTALL_COMMAND)
    tokenizers = import_extra("tokenizers", provider="minilm", fix=INSTALL_COMMAND)
    if not is_complete(folder):
        raise EmbeddingUnavailable("minilm", f"{folder} has no model. Run: {INSTALL_COMMAND}")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / TOKENIZER))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    # Workers share the weights; one more than documents may use is always free for a query.
    encoder = ctranslate2.Encoder(str(folder), device="cpu", inter_threads=workers, intra_threads=1)
    return Model(tokenizer, encoder)
