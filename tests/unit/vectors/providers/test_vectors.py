"""Nothing unusable leaves a provider."""

import numpy as np
import pytest

from mcp_memory.errors import DimensionMismatch, EmbeddingError
from mcp_memory.vectors.providers.batching import unit_rows


def test_rows_have_unit_length_and_keep_their_direction():
    rows = unit_rows(np.array([[3, 4], [0, -2]], np.float32), model="m", count=2, dimensions=2)

    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows, [[0.6, 0.8], [0, -1]], rtol=1e-6)


@pytest.mark.parametrize("bad", [[0.0, 0.0], [np.nan, 1.0], [np.inf, 1.0]])
def test_zero_and_not_finite_vectors_are_refused(bad: list[float]):
    with pytest.raises(EmbeddingError):
        unit_rows(np.array([[1, 2], bad], np.float32), model="m", count=2, dimensions=2)


def test_large_but_finite_coordinates_are_fine():
    rows = unit_rows(np.array([[3e38, 0.0]], np.float32), model="m", count=1, dimensions=2)

    np.testing.assert_array_equal(rows, [[1.0, 0.0]])


def test_another_length_is_refused_with_both_numbers():
    with pytest.raises(DimensionMismatch) as refused:
        unit_rows(np.ones((1, 3), np.float32), model="m", count=1, dimensions=2)

    assert (refused.value.expected, refused.value.actual) == (2, 3)


def test_another_count_is_refused():
    with pytest.raises(EmbeddingError):
        unit_rows(np.ones((1, 2), np.float32), model="m", count=2, dimensions=2)
