"""Batches keep order and bounds, whatever the texts."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.vectors.providers.batching import batches, runs_of_equal_length

texts_strategy = st.lists(st.text(max_size=20), max_size=40)
bound = st.integers(min_value=1, max_value=30)


@given(texts_strategy, bound, bound)
def test_batches_joined_are_the_texts_within_both_bounds(
    texts: list[str], max_count: int, max_characters: int
):
    cut = list(batches(texts, max_count=max_count, max_characters=max_characters))

    assert [text for batch in cut for text in batch] == texts
    for batch in cut:
        assert 1 <= len(batch) <= max_count
        assert len(batch) == 1 or sum(map(len, batch)) <= max_characters


def test_a_text_over_the_bound_is_a_batch_of_its_own():
    assert list(batches(["a", "bbbb", "c"], max_count=9, max_characters=3)) == [
        ["a"],
        ["bbbb"],
        ["c"],
    ]


@given(st.lists(st.integers(min_value=1, max_value=6), max_size=40), bound)
def test_runs_hold_every_position_once_and_one_length_each(lengths: list[int], max_count: int):
    runs = list(runs_of_equal_length(lengths, max_count=max_count))

    order = [position for run in runs for position in run]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[position] for position in order] == sorted(lengths)
    for run in runs:
        assert 1 <= len(run) <= max_count
        assert len({lengths[position] for position in run}) == 1


def test_runs_are_as_full_as_their_bound_allows():
    assert list(runs_of_equal_length([2, 1, 2, 2], max_count=2)) == [[1], [0, 2], [3]]
