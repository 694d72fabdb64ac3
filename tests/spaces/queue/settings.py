"""The settings of an embedder at a test's endpoint."""

from mcp_memory.vectors.providers.base import EmbeddingSettings


def settings_for(base_url: str, *, timeout_seconds: float = 60) -> EmbeddingSettings:
    return EmbeddingSettings(
        provider="openai",
        model="small",
        base_url=base_url,
        timeout_seconds=timeout_seconds,
        dimensions=8,
    )
