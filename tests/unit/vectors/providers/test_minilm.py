"""The real local model."""

import sys
from contextlib import aclosing
from pathlib import Path

import anyio
import numpy as np
import pytest

from mcp_memory.errors import EmbeddingUnavailable
from mcp_memory.vectors.providers.minilm import MiniLMEmbedder

# int8 moves a cosine by up to .01 from the published model's, and the kernels of one kind of
# processor by some thousandths from those of another.
INT8_TOLERANCE = 0.02
DEPLOY = "how do I deploy the service?"


async def test_known_pairs_have_their_published_cosines(minilm_dir: Path):
    async with aclosing(MiniLMEmbedder(minilm_dir)) as embedder:
        query = await embedder.embed_query(DEPLOY)
        near, far = await embedder.embed_documents(
            ["deployment instructions for the server", "the cat sat on the mat"]
        )

    assert float(query @ near) == pytest.approx(0.680, abs=INT8_TOLERANCE)
    assert float(query @ far) == pytest.approx(0.055, abs=INT8_TOLERANCE)


async def test_a_text_alone_and_among_longer_ones_has_the_same_vector(minilm_dir: Path):
    texts = [" ".join(["word", str(number)] * (number % 60 + 1)) for number in range(100)]
    async with aclosing(MiniLMEmbedder(minilm_dir)) as embedder:
        rows = await embedder.embed_documents(texts)
        alone = np.stack([await embedder.embed_query(text) for text in texts])

    np.testing.assert_allclose(rows, alone, rtol=0, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-6)


async def test_only_the_first_256_tokens_count(minilm_dir: Path):
    async with aclosing(MiniLMEmbedder(minilm_dir)) as embedder:
        start = "river " * 254
        full, longer, shorter = await embedder.embed_documents(
            [start, start + "volcano " * 50, "river " * 200 + "volcano " * 50]
        )

    np.testing.assert_allclose(full, longer, rtol=0, atol=1e-4)
    assert float(full @ shorter) < 0.99


async def test_empty_text_has_a_vector_and_no_texts_have_no_rows(minilm_dir: Path):
    async with aclosing(MiniLMEmbedder(minilm_dir)) as embedder:
        assert (await embedder.embed_documents(["", " "])).shape == (2, 384)
        assert (await embedder.embed_documents([])).shape == (0, 384)


async def test_many_calls_at_once_share_one_model(minilm_dir: Path):
    vectors: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    async with aclosing(MiniLMEmbedder(minilm_dir)) as embedder:

        async def ask() -> None:
            vectors.append(await embedder.embed_query(DEPLOY))

        with anyio.fail_after(30):
            async with anyio.create_task_group() as group:
                for _ in range(30):
                    group.start_soon(ask)

    assert len(vectors) == 30
    np.testing.assert_allclose(vectors, np.broadcast_to(vectors[0], (30, 384)), rtol=0, atol=1e-4)


async def test_it_works_again_after_being_closed(minilm_dir: Path):
    embedder = MiniLMEmbedder(minilm_dir)
    await embedder.open()
    await embedder.aclose()

    assert (await embedder.embed_query("one")).shape == (384,)
    await embedder.aclose()


async def test_without_weights_it_says_which_command_to_run(tmp_path: Path):
    pytest.importorskip("ctranslate2", reason="the extra `local` is not installed")
    with pytest.raises(EmbeddingUnavailable, match="mcp-memory embeddings install"):
        await MiniLMEmbedder(tmp_path).open()


async def test_without_its_libraries_it_says_which_command_to_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "ctranslate2", None)
    with pytest.raises(EmbeddingUnavailable, match=r"pip install 'mcp-memory-postgres\[local\]'"):
        await MiniLMEmbedder(tmp_path).embed_query("one")
