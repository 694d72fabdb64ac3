"""Choosing a provider, and what that does not import."""

import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from mcp_memory.errors import ConfigError
from mcp_memory.vectors.providers.base import EmbeddingSettings
from mcp_memory.vectors.providers.factory import open_embedder


def test_auto_is_hashing_where_no_model_is_installed(tmp_path: Path):
    embedder = open_embedder(EmbeddingSettings(model_dir=tmp_path))

    assert (embedder.provider, embedder.model, embedder.dimensions) == (
        "hashing",
        "hashing-v1",
        384,
    )


def test_auto_is_minilm_where_it_is_installed(minilm_dir: Path):
    embedder = open_embedder(EmbeddingSettings(model_dir=minilm_dir))

    assert (embedder.provider, embedder.model, embedder.dimensions, embedder.max_tokens) == (
        "minilm",
        "all-MiniLM-L6-v2",
        384,
        256,
    )


def test_auto_is_hashing_where_the_libraries_are_gone(
    minilm_dir: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)

    assert open_embedder(EmbeddingSettings(model_dir=minilm_dir)).provider == "hashing"


async def test_each_provider_opens_cold():
    for provider in ("hashing", "minilm", "sentence-transformers", "openai"):
        settings = EmbeddingSettings(provider=provider, model_dir=Path("/nonexistent"))
        async with aclosing(open_embedder(settings)) as embedder:
            assert embedder.provider == provider


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (EmbeddingSettings(provider="hashing", model="other"), "embeddings.model"),
        (EmbeddingSettings(provider="minilm", model="other"), "embeddings.model"),
        (EmbeddingSettings(provider="minilm", dimensions=256), "embeddings.dimensions"),
        (EmbeddingSettings(provider="hashing", dimensions=0), "embeddings.dimensions"),
        (EmbeddingSettings(provider="hashing", batch_size=0), "embeddings.batch_size"),
        (
            EmbeddingSettings(provider="hashing", timeout_seconds=float("nan")),
            "embeddings.timeout_seconds",
        ),
    ],
)
def test_settings_that_can_never_work_are_refused_by_key(settings: EmbeddingSettings, key: str):
    with pytest.raises(ConfigError) as refused:
        open_embedder(settings)

    assert refused.value.key == key


HEAVY = ("numpy", "ctranslate2", "tokenizers", "safetensors", "torch", "sentence_transformers")


def loaded_after(statements: str) -> set[str]:
    code = f"{statements}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


@pytest.mark.slow
def test_importing_the_factory_loads_no_library_of_any_provider():
    assert loaded_after("import mcp_memory.vectors.providers.factory") == set()


@pytest.mark.slow
def test_importing_every_module_loads_nothing_an_extra_installs():
    modules = Path(__file__).parents[4] / "mcp_memory" / "vectors" / "providers"
    names = [file.stem for file in modules.glob("*.py") if file.stem != "__init__"]
    statements = "\n".join(f"import mcp_memory.vectors.providers.{name}" for name in names)

    assert "import mcp_memory.vectors.providers.minilm_install" in statements
    assert loaded_after(statements) == {"numpy"}


@pytest.mark.slow
def test_opening_minilm_loads_nothing_before_its_first_use():
    loaded = loaded_after(
        "from mcp_memory.vectors.providers.factory import open_embedder\n"
        "from mcp_memory.vectors.providers.base import EmbeddingSettings\n"
        "open_embedder(EmbeddingSettings(provider='minilm'))"
    )

    assert loaded == {"numpy"}
