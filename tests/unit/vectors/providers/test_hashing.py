"""The built-in embedder."""

import subprocess
import sys
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.vectors.providers.hashing import HashingEmbedder, grams, word_features, words

# Computed once; it may change only together with the name hashing-v1.
KNOWN = ("Grüße aus Köln, 42!", 2101372088)


def checksum(row: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> int:
    return crc32((row * 1000).round().astype("<i2").tobytes())


async def test_vectors_have_unit_length_and_the_asked_dimensions():
    rows = await HashingEmbedder(128).embed_documents(["one two", "", "!?", "日本語の文章"])

    assert rows.shape == (4, 128)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-6)


async def test_a_text_alone_has_exactly_the_vector_it_has_in_a_batch():
    texts = [f"text number {number} " * (number % 7 + 1) for number in range(600)]
    embedder = HashingEmbedder()

    rows = await embedder.embed_documents(texts)

    np.testing.assert_array_equal(rows[411], await embedder.embed_query(texts[411]))


async def test_the_vector_of_a_text_never_changes_under_its_model_name():
    text, expected = KNOWN

    assert checksum(await HashingEmbedder().embed_query(text)) == expected


@pytest.mark.slow
def test_another_process_with_another_hash_seed_gives_the_same_features():
    code = (
        "from mcp_memory.vectors.providers.hashing import word_features as f;"
        "print(f('memory', 384).columns.tolist(), f('memory', 384).weights.tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "7", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    features = word_features("memory", 384)
    assert run.stdout.strip() == f"{features.columns.tolist()} {features.weights.tolist()}"


async def test_shared_words_and_shared_parts_of_words_make_texts_near():
    embedder = HashingEmbedder()
    query = await embedder.embed_query("deployment of the service")
    same, part, other = await embedder.embed_documents(
        ["the service after its deployment", "we deploy services", "a cat sat on some mat"]
    )

    assert query @ same > query @ part > query @ other + 0.1


@pytest.mark.parametrize(
    ("one", "other"),
    [("STRASSE", "straße"), ("\uff46\uff55\uff4c\uff4c", "full"), ("Привет", "ПРИВЕТ")],
)
def test_width_and_case_do_not_matter(one: str, other: str):
    assert words(one) == words(other)


def test_a_short_number_weighs_more_than_a_short_word():
    number, word = word_features("42", 4096), word_features("of", 4096)

    assert np.abs(number.weights).sum() > 4 * np.abs(word.weights).sum()


def test_scripts_without_spaces_are_cut_into_short_runs():
    assert list(grams("日本語")) == ["日", "本", "語", "日本", "本語", "日本語"]
    assert list(grams("cat")) == ["<ca", "cat", "at>", "<cat", "cat>", "<cat>"]


@given(st.text())
async def test_every_text_has_a_vector(text: str):
    vector = await HashingEmbedder().embed_query(text)

    assert abs(float(np.linalg.norm(vector)) - 1) < 1e-5


async def test_no_texts_give_no_rows():
    assert (await HashingEmbedder().embed_documents([])).shape == (0, 384)
