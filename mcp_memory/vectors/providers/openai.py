"""Vectors from any endpoint that speaks OpenAI's protocol: Ollama, vLLM, LM Studio, TEI too."""

import base64
import binascii
import logging
import random
from collections.abc import Sequence
from datetime import UTC, datetime

import anyio
import httpx2
import numpy as np
from anyio import to_thread
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_memory.backoff import delay_seconds, may_pass, retry_after_seconds
from mcp_memory.errors import ConfigError, EmbeddingError, EmbeddingRefused, EmbeddingUnavailable
from mcp_memory.vectors.providers.base import EmbeddingSettings, prefixes_for
from mcp_memory.vectors.providers.batching import batches, unit_rows

MAX_REASON_CHARS = 300
BLANK = "."  # endpoints refuse empty input, or give a zero vector for it


class EmbeddedText(BaseModel):
    """One vector, as numbers or as base64 of little-endian float32."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    index: int
    embedding: list[float] | str


class EmbeddingsAnswer(BaseModel):
    """What all compatible endpoints agree on; the rest of their answers is left unread."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    data: list[EmbeddedText]


def request_body(
    model: str, texts: list[str], dimensions: int | None
) -> dict[str, str | int | list[str]]:
    """`dimensions` is sent only when configured: many endpoints refuse the parameter."""
    body: dict[str, str | int | list[str]] = {
        "model": model,
        "input": [text if text.strip() else BLANK for text in texts],
    }
    return body if dimensions is None else {**body, "dimensions": dimensions}


def read_rows(content: bytes, *, model: str, count: int) -> NDArray[np.float32]:
    """The vectors in the order of the texts, whatever order they came in."""
    try:
        answer = EmbeddingsAnswer.model_validate_json(content)
    except ValidationError as exc:
        raise EmbeddingError(
            f"The endpoint's answer for model {model!r} is not understood."
        ) from exc
    embedded = sorted(answer.data, key=lambda text: text.index)
    if [text.index for text in embedded] != list(range(count)):
        raise EmbeddingError(
            f"Model {model!r} was given {count} texts, and {len(embedded)} vectors came back"
            " that are not one for each."
        )
    rows = [_read_vector(text.embedding, model) for text in embedded]
    if len({len(row) for row in rows}) > 1:
        raise EmbeddingError(
            f"Model {model!r} returned vectors of different lengths in one answer."
        )
    return np.stack(rows)


def _read_vector(embedding: list[float] | str, model: str) -> NDArray[np.float32]:
    if not isinstance(embedding, str):
        with np.errstate(over="ignore"):  # too large for float32 is infinite, and refused as such
            return np.asarray(embedding, np.float64).astype(np.float32)
    try:
        return np.frombuffer(base64.b64decode(embedding, validate=True), "<f4").astype(np.float32)
    except (binascii.Error, ValueError) as exc:
        raise EmbeddingError(f"Model {model!r} returned a vector in broken base64.") from exc


class _ErrorDetail(BaseModel):
    message: str


class _ErrorAnswer(BaseModel):
    """`{"error": {"message"}}` of most, `{"error": …}` of Ollama and TEI, `{"message"}` of vLLM."""

    error: _ErrorDetail | str | None = None
    message: str | None = None
    detail: str | None = None


def error_message(content: bytes, *, secret: str | None) -> str:
    """What the endpoint says went wrong, shortened, without the key it may repeat."""
    try:
        answer = _ErrorAnswer.model_validate_json(content)
    except ValidationError:
        said = content.decode("utf-8", "replace")
    else:
        error = answer.error.message if isinstance(answer.error, _ErrorDetail) else answer.error
        said = error or answer.message or answer.detail or ""
    if secret:
        said = said.replace(secret, "***")
    return " ".join(said.split())[:MAX_REASON_CHARS]


# A provider's hiccup is over in a moment; its rate limit is counted by the minute.
_FIRST_DELAY_SECONDS = 0.25
_MAX_DELAY_SECONDS = 8.0

logger = logging.getLogger(__name__)

PROVIDER = "openai"
DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_MODEL = "text-embedding-3-small"
CHARACTERS_PER_BATCH = 200_000
# One attempt that hangs leaves time for another.
ATTEMPT_SHARE = 0.6
# The texts are at fault, not the endpoint: sending them again changes nothing.
REFUSED_STATUSES = frozenset({400, 413, 422})


class _TryAgain(Exception):
    """One attempt failed in a way that may pass."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        self.retry_after = retry_after
        super().__init__(reason)


class OpenAIEmbedder:
    """One request for each batch, repeated while that can help.

    `timeout_seconds` bounds each batch with all its attempts and waits, so a long list of texts
    may take a multiple. A `Retry-After` that does not fit into what is left is not waited for:
    `EmbeddingUnavailable` carries it. A text longer than the model takes is the endpoint's to cut
    or to refuse; there is no tokenizer here. `dimensions` is the configured number (then the
    endpoint is asked for it), else the length of the first vector that ever came, which `open`
    fetches; from then on every other length is refused.
    """

    provider = PROVIDER
    max_tokens = None

    def __init__(self, settings: EmbeddingSettings) -> None:
        self.model = _model_of(settings)
        self._asked_dimensions = settings.dimensions
        self._dimensions = settings.dimensions
        self._batch_size = settings.batch_size
        self._timeout_seconds = settings.timeout_seconds
        self._api_key = settings.api_key
        self._prefixes = prefixes_for(
            self.model, query=settings.query_prefix, document=settings.document_prefix
        )
        self._client = _client_for(settings)

    @property
    def dimensions(self) -> int:
        if self._dimensions is None:
            raise EmbeddingUnavailable(
                PROVIDER, f"how long the vectors of {self.model!r} are is not known before `open`."
            )
        return self._dimensions

    async def open(self) -> None:
        if self._dimensions is None:
            await self.embed_query("dimensions")

    async def aclose(self) -> None:
        await self._client.aclose()

    async def embed_query(self, text: str) -> NDArray[np.float32]:
        return (await self._embed_batch([self._prefixes.query + text]))[0]

    async def embed_documents(self, texts: Sequence[str]) -> NDArray[np.float32]:
        await self.open()
        prefixed = [self._prefixes.document + text for text in texts]
        runs = batches(prefixed, max_count=self._batch_size, max_characters=CHARACTERS_PER_BATCH)
        parts = [await self._embed_batch(run) for run in runs]
        return np.concatenate([np.empty((0, self.dimensions), np.float32), *parts])

    async def _embed_batch(self, texts: list[str]) -> NDArray[np.float32]:
        content = await self._request(texts)
        rows = await to_thread.run_sync(
            lambda: read_rows(content, model=self.model, count=len(texts))
        )
        expected = self._dimensions or rows.shape[1]
        vectors = unit_rows(rows, model=self.model, count=len(texts), dimensions=expected)
        self._dimensions = expected  # learned from good vectors only
        return vectors

    async def _request(self, texts: list[str]) -> bytes:
        """The endpoint's answer; attempts follow one another until one works or time is up."""
        deadline = anyio.current_time() + self._timeout_seconds
        attempt = 0
        while True:
            attempt += 1
            try:
                return await self._attempt(texts, deadline - anyio.current_time())
            except _TryAgain as exc:
                delay = _delay_seconds(attempt, exc.retry_after)
                if anyio.current_time() + delay >= deadline:
                    raise self._out_of_time(exc) from exc
                logger.info("embeddings: attempt %d: %s; again in %.2f s", attempt, exc, delay)
            await anyio.sleep(delay)

    async def _attempt(self, texts: list[str], seconds_left: float) -> bytes:
        body = request_body(self.model, texts, self._asked_dimensions)
        seconds = min(seconds_left, self._timeout_seconds * ATTEMPT_SHARE)
        try:
            with anyio.fail_after(seconds):
                response = await self._client.post("embeddings", json=body)
        except TimeoutError as exc:
            raise _TryAgain(f"no answer within {seconds:.3g} s") from exc
        except httpx2.TransportError as exc:
            raise _TryAgain(self._unspoken(f"{type(exc).__name__}: {exc}")) from exc
        except httpx2.RequestError as exc:
            raise EmbeddingUnavailable(PROVIDER, self._unspoken(str(exc))) from exc
        if response.is_success:
            return response.content
        raise self._failure(response)

    def _failure(self, response: httpx2.Response) -> _TryAgain | EmbeddingError:
        said = error_message(response.content, secret=self._api_key)
        reason = f"HTTP {response.status_code} {said}".strip()
        if may_pass(response.status_code):
            header: str | None = response.headers.get("retry-after")
            return _TryAgain(reason, retry_after_seconds(header, datetime.now(UTC)))
        if response.status_code in REFUSED_STATUSES:
            return EmbeddingRefused(PROVIDER, reason)
        return EmbeddingUnavailable(PROVIDER, reason)

    def _out_of_time(self, last: _TryAgain) -> EmbeddingUnavailable:
        reason = f"{last} (gave up: embeddings.timeout_seconds is {self._timeout_seconds:g})."
        return EmbeddingUnavailable(PROVIDER, reason, retry_after_seconds=last.retry_after)

    def _unspoken(self, reason: str) -> str:
        return reason.replace(self._api_key, "***") if self._api_key else reason


def _model_of(settings: EmbeddingSettings) -> str:
    if settings.model is not None:
        return settings.model
    if settings.base_url is not None:
        raise ConfigError("name the model the endpoint serves", key="embeddings.model")
    return DEFAULT_MODEL


def _client_for(settings: EmbeddingSettings) -> httpx2.AsyncClient:
    """Redirects are not followed: they would carry texts and key to another host."""
    key = settings.api_key
    try:
        return httpx2.AsyncClient(
            base_url=settings.base_url or DEFAULT_BASE_URL,
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=None,  # httpx2 limits each read; whole attempts are limited in `_attempt`
            follow_redirects=False,
        )
    except (httpx2.InvalidURL, UnicodeEncodeError) as exc:
        # The reason is left out: it repeats the key, or an address that may hold a password.
        raise ConfigError("the address or the key is malformed", key="embeddings") from exc


def _delay_seconds(attempt: int, retry_after: float | None) -> float:
    return delay_seconds(
        attempt,
        first=_FIRST_DELAY_SECONDS,
        longest=_MAX_DELAY_SECONDS,
        jitter=random.random(),
        at_least=retry_after or 0.0,
    )
