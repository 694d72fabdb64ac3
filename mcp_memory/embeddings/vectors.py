"""The last check before vectors leave a provider: count, length, finite, then unit length."""

from typing import cast

import numpy as np
from numpy.typing import NDArray

from mcp_memory.errors import DimensionMismatch, EmbeddingError


def unit_rows(
    rows: NDArray[np.float32], *, model: str, count: int, dimensions: int
) -> NDArray[np.float32]:
    """The rows scaled to length 1; refuses what no index should ever hold."""
    if rows.ndim != 2 or len(rows) != count:
        raise EmbeddingError(
            f"Model {model!r} was given {count} texts and returned an array of shape {rows.shape}."
        )
    if rows.shape[1] != dimensions:
        raise DimensionMismatch(model, dimensions, rows.shape[1])
    # In double precision, so that the square of a large coordinate does not become infinite.
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise EmbeddingError(f"Model {model!r} returned a vector that holds NaN or infinity.")
    if not lengths.all():
        raise EmbeddingError(f"Model {model!r} returned a zero vector, which has no direction.")
    return cast("NDArray[np.float32]", (rows / lengths).astype(np.float32))
