"""The JSON of an embeddings endpoint: what is sent, what comes back, what an error says."""

import base64
import binascii

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_memory.errors import EmbeddingError

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
