"""Choosing the provider.

Imports stand inside the functions here: a provider and its libraries load when it is chosen.
"""

from typing import assert_never

from mcp_memory.errors import ConfigError
from mcp_memory.vectors.providers.base import Embedder, EmbeddingSettings


def open_embedder(settings: EmbeddingSettings) -> Embedder:
    """The provider of the settings, cold: nothing is loaded or asked until its first use.

    Fails only for settings that can never work. What is missing on this machine, or does not
    answer, is told by `Embedder.open` and by each call.
    """
    _check(settings)
    match settings.provider:
        case "auto":
            return _open_auto(settings)
        case "hashing":
            return _open_hashing(settings)
        case "minilm":
            return _open_minilm(settings)
        case "openai":
            from mcp_memory.vectors.providers.openai import OpenAIEmbedder

            return OpenAIEmbedder(settings)
        case "sentence-transformers":
            from mcp_memory.vectors.providers.sentence_transformers import (
                SentenceTransformersEmbedder,
            )

            return SentenceTransformersEmbedder(settings)
        case _:
            assert_never(settings.provider)


def _open_auto(settings: EmbeddingSettings) -> Embedder:
    """minilm when its weights and its libraries are here, else hashing."""
    from importlib.util import find_spec

    from mcp_memory.vectors.providers.minilm_files import default_model_dir, is_installed

    installed = is_installed(settings.model_dir or default_model_dir())
    libraries = all(find_spec(name) for name in ("ctranslate2", "tokenizers"))
    return _open_minilm(settings) if installed and libraries else _open_hashing(settings)


def _open_hashing(settings: EmbeddingSettings) -> Embedder:
    from mcp_memory.vectors.providers.hashing import DEFAULT_DIMENSIONS, MODEL, HashingEmbedder

    _refuse_other_model(settings, MODEL)
    return HashingEmbedder(settings.dimensions or DEFAULT_DIMENSIONS)


def _open_minilm(settings: EmbeddingSettings) -> Embedder:
    from mcp_memory.vectors.providers.minilm import MiniLMEmbedder
    from mcp_memory.vectors.providers.minilm_files import DIMENSIONS, MODEL, default_model_dir

    _refuse_other_model(settings, MODEL)
    if settings.dimensions not in (None, DIMENSIONS):
        raise ConfigError(f"minilm has {DIMENSIONS}", key="embeddings.dimensions")
    return MiniLMEmbedder(settings.model_dir or default_model_dir(), batch_size=settings.batch_size)


def _refuse_other_model(settings: EmbeddingSettings, only: str) -> None:
    if settings.model not in (None, only):
        raise ConfigError(f"this provider has only {only!r}", key="embeddings.model")


def _check(settings: EmbeddingSettings) -> None:
    """pydantic refuses these in the configuration; here for every other caller."""
    if settings.batch_size < 1:
        raise ConfigError("must be at least 1", key="embeddings.batch_size")
    if not settings.timeout_seconds > 0:
        raise ConfigError("must be more than 0", key="embeddings.timeout_seconds")
    if settings.dimensions is not None and settings.dimensions < 1:
        raise ConfigError("must be at least 1", key="embeddings.dimensions")
