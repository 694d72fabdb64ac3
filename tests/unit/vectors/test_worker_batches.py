"""How large the next batch is."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.vectors.worker import LARGEST_BATCH, next_size


def test_quick_batches_grow_up_to_a_limit_and_long_ones_shrink() -> None:
    assert [next_size(64, 0.1), next_size(LARGEST_BATCH, 0.1)] == [128, LARGEST_BATCH]
    assert next_size(64, 2.0) == 64
    assert [next_size(64, 20.0), next_size(1, 20.0)] == [32, 1]


@given(st.integers(1, LARGEST_BATCH), st.floats(0, 1000))
def test_a_batch_is_never_empty_nor_over_the_limit(size: int, seconds: float) -> None:
    assert 1 <= next_size(size, seconds) <= LARGEST_BATCH
