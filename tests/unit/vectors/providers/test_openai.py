"""The openai provider against a real endpoint on loopback."""

import json
import logging
from contextlib import aclosing

import anyio
import numpy as np
import pytest

from mcp_memory.errors import (
    ConfigError,
    DimensionMismatch,
    EmbeddingError,
    EmbeddingRefused,
    EmbeddingUnavailable,
)
from mcp_memory.vectors.providers.base import EmbeddingSettings
from mcp_memory.vectors.providers.openai import OpenAIEmbedder
from tests.fixtures.embedding_endpoint import Endpoint, Reply, serving, vector_of

KEY = "sk-very-secret-key"


def open_at(
    endpoint: Endpoint,
    *,
    model: str = "some-model",
    batch_size: int = 64,
    dimensions: int | None = None,
    timeout_seconds: float = 20.0,
    query_prefix: str | None = None,
) -> OpenAIEmbedder:
    return OpenAIEmbedder(
        EmbeddingSettings(
            provider="openai",
            model=model,
            base_url=endpoint.base_url,
            api_key=KEY,
            batch_size=batch_size,
            dimensions=dimensions,
            timeout_seconds=timeout_seconds,
            query_prefix=query_prefix,
        )
    )


def unit(text: str, dimensions: int = 3) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    vector = np.array(vector_of(text, dimensions), np.float32)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


async def test_vectors_come_in_the_order_of_the_texts_though_the_answer_is_reversed():
    texts = ["a", "bb", "ccc"]
    with serving(Reply(), Reply(reverse=True)) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            rows = await embedder.embed_documents(texts)

    np.testing.assert_allclose(rows, [unit(text) for text in texts], rtol=1e-6)


async def test_base64_and_numbers_give_the_same_vector():
    with serving(Reply(as_base64=True), Reply()) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            packed = await embedder.embed_query("one")
            plain = await embedder.embed_query("one")

    np.testing.assert_array_equal(packed, plain)


async def test_a_long_list_is_sent_in_batches_of_the_configured_size():
    texts = ["x" * length for length in range(1, 6)]
    with serving() as endpoint:
        async with aclosing(open_at(endpoint, batch_size=2, dimensions=3)) as embedder:
            rows = await embedder.embed_documents(texts)

    assert [asked.texts for asked in endpoint.asked] == [texts[:2], texts[2:4], texts[4:]]
    np.testing.assert_allclose(rows, [unit(text) for text in texts], rtol=1e-6)


async def test_the_request_carries_key_path_model_and_asked_dimensions():
    with serving() as endpoint:
        async with aclosing(open_at(endpoint, dimensions=3)) as embedder:
            await embedder.embed_query("one")

    [asked] = endpoint.asked
    assert (asked.path, asked.authorization) == ("/v1/embeddings", f"Bearer {KEY}")
    assert (asked.model, asked.texts, asked.dimensions) == ("some-model", ["one"], 3)


async def test_dimensions_are_unknown_until_open_asks_once():
    with serving(Reply(dimensions=5)) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            with pytest.raises(EmbeddingUnavailable):
                _ = embedder.dimensions
            await embedder.open()
            await embedder.open()
            found = embedder.dimensions

    assert found == 5
    assert [asked.dimensions for asked in endpoint.asked] == [None]


async def test_another_dimension_than_configured_is_refused_with_both_numbers():
    with serving(Reply(dimensions=4)) as endpoint:
        async with aclosing(open_at(endpoint, dimensions=3)) as embedder:
            with pytest.raises(DimensionMismatch) as refused:
                await embedder.embed_documents(["one"])

    assert (refused.value.expected, refused.value.actual) == (3, 4)


async def test_a_dimension_that_changes_between_two_batches_gives_no_vector_at_all():
    with serving(Reply(), Reply(), Reply(dimensions=4)) as endpoint:
        async with aclosing(open_at(endpoint, batch_size=1)) as embedder:
            with pytest.raises(DimensionMismatch):
                await embedder.embed_documents(["one", "two"])


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_passing_failure_is_tried_again(status: int):
    with serving(Reply(status=status, body=b"busy")) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            vector = await embedder.embed_query("one")

    np.testing.assert_allclose(vector, unit("one"), rtol=1e-6)
    assert len(endpoint.asked) == 2


async def test_retry_after_is_waited_for(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "mcp_memory.vectors.providers.openai")
    with serving(Reply(status=429, body=b"{}", headers={"Retry-After": "1"})) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            started = anyio.current_time()
            await embedder.embed_query("one")
            waited = anyio.current_time() - started

    assert waited >= 1.0
    assert "again in 1.00 s" in caplog.text


async def test_a_retry_after_beyond_the_time_limit_is_handed_on_instead_of_waited_for():
    with serving(Reply(status=429, body=b"{}", headers={"Retry-After": "3600"})) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            with pytest.raises(EmbeddingUnavailable) as failed:
                await embedder.embed_query("one")

    assert failed.value.retry_after_seconds == 3600
    assert len(endpoint.asked) == 1


async def test_an_attempt_that_hangs_leaves_time_for_one_that_works():
    with serving(Reply(hang=True)) as endpoint:
        async with aclosing(open_at(endpoint, timeout_seconds=3.0)) as embedder:
            vector = await embedder.embed_query("one")

    np.testing.assert_allclose(vector, unit("one"), rtol=1e-6)
    assert len(endpoint.asked) == 2


async def test_an_endpoint_that_always_hangs_ends_as_unavailable():
    with serving(*[Reply(hang=True)] * 20) as endpoint:
        async with aclosing(open_at(endpoint, timeout_seconds=0.3)) as embedder:
            with anyio.fail_after(10), pytest.raises(EmbeddingUnavailable):
                await embedder.embed_query("one")


async def test_an_endpoint_that_is_gone_is_unavailable():
    with serving() as endpoint:
        embedder = open_at(endpoint, timeout_seconds=0.5)
    async with aclosing(embedder):
        with anyio.fail_after(10), pytest.raises(EmbeddingUnavailable):
            await embedder.embed_query("one")


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, EmbeddingRefused), (413, EmbeddingRefused), (401, EmbeddingUnavailable)],
)
async def test_a_refusal_is_raised_at_once_without_the_key(
    status: int, error: type[EmbeddingError]
):
    body = json.dumps({"error": {"message": f"no good: {KEY}"}}).encode()
    with serving(Reply(status=status, body=body)) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            with pytest.raises(error) as failed:
                await embedder.embed_query("one")

    assert "no good" in str(failed.value)
    assert KEY not in str(failed.value)
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": [{"index": 0, "embedding": [0, 0, 0]}]}',
        b'{"data": [{"index": 0, "embedding": [NaN, 1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": [1e300, 1, 2]}]}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 1, "embedding": [1, 2, 3]}]}',
        b'{"data": [{"index": 0, "embedding": "not base64"}]}',
        b'{"data": []}',
        b"<html>",
    ],
)
@pytest.mark.filterwarnings("error")
async def test_an_unusable_answer_is_refused(body: bytes):
    with serving(Reply(body=body)) as endpoint:
        async with aclosing(open_at(endpoint)) as embedder:
            with pytest.raises(EmbeddingError):
                await embedder.embed_query("one")


async def test_fewer_vectors_than_texts_are_refused():
    with serving(Reply(drop=1)) as endpoint:
        async with aclosing(open_at(endpoint, dimensions=3)) as embedder:
            with pytest.raises(EmbeddingError):
                await embedder.embed_documents(["one", "two"])


async def test_a_known_model_gets_its_prefixes_and_a_configured_one_wins():
    with serving() as endpoint:
        async with aclosing(open_at(endpoint, model="nomic-embed-text", dimensions=3)) as embedder:
            await embedder.embed_query("one")
            await embedder.embed_documents(["two"])
        async with aclosing(
            open_at(endpoint, model="nomic-embed-text", dimensions=3, query_prefix="")
        ) as embedder:
            await embedder.embed_query("three")

    assert [asked.texts for asked in endpoint.asked] == [
        ["search_query: one"],
        ["search_document: two"],
        ["three"],
    ]


async def test_empty_text_is_never_sent_empty():
    with serving() as endpoint:
        async with aclosing(open_at(endpoint, dimensions=3)) as embedder:
            rows = await embedder.embed_documents(["", " \n"])

    assert rows.shape == (2, 3)
    assert all(text.strip() for asked in endpoint.asked for text in asked.texts)


async def test_no_texts_give_no_rows():
    with serving() as endpoint:
        async with aclosing(open_at(endpoint, dimensions=3)) as embedder:
            rows = await embedder.embed_documents([])

    assert rows.shape == (0, 3)
    assert endpoint.asked == []


def test_an_own_endpoint_needs_a_model_name():
    with pytest.raises(ConfigError) as refused:
        OpenAIEmbedder(EmbeddingSettings(provider="openai", base_url="http://127.0.0.1:1/v1"))

    assert refused.value.key == "embeddings.model"


def test_settings_do_not_show_the_key():
    assert KEY not in repr(EmbeddingSettings(api_key=KEY))
