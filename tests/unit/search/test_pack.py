"""What goes into a budget, and what is left for the next page."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.errors import InvalidInput
from mcp_memory.paging import to_cursor
from mcp_memory.search.pack import PageState, pack

_PASSAGES = st.lists(st.tuples(st.floats(-20, 20), st.integers(1, 400)), min_size=1, max_size=40)


@given(_PASSAGES, st.integers(1, 2000), st.integers(1, 20))
def test_what_is_chosen_fits_holds_the_first_and_keeps_its_order(
    passages: list[tuple[float, int]], budget: int, most: int
) -> None:
    ranks, sizes = [rank for rank, _ in passages], [size for _, size in passages]

    places = pack(sizes, budget, most, ranks)

    assert places[0] == 0
    assert places == sorted(set(places))
    assert len(places) <= most
    assert places == [0] or sum(sizes[place] for place in places) <= budget


@given(st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_with_room_for_all_the_first_are_chosen(sizes: list[int]) -> None:
    alike = [1.0] * len(sizes)
    assert pack(sizes, 10_000, len(sizes), alike) == list(range(len(sizes)))


def test_a_long_passage_gives_way_to_two_short_ones_that_are_about_as_likely() -> None:
    assert pack([40, 200, 60, 60], 200, 6, [3.0, 2.0, 1.9, 1.9]) == [0, 2, 3]


def test_a_much_likelier_passage_goes_before_a_short_one() -> None:
    assert pack([40, 150, 30], 200, 6, [9.0, 8.0, 2.0]) == [0, 1]


def test_what_an_anchor_has_put_behind_is_worth_no_more_than_what_is_before_it() -> None:
    assert pack([50, 50, 50], 100, 6, [1.0, 0.5, 9.0]) == [0, 1]


@given(st.lists(st.sets(st.integers(0, 30), min_size=1), max_size=6))
def test_pages_show_everything_once(pages: list[set[int]]) -> None:
    shown, seen = PageState(), set[int]()
    for page in pages:
        shown = PageState.of(shown.with_page(page).cursor)
        seen |= page
        assert shown.remaining(31) == [place for place in range(31) if place not in seen]


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "W10",
        PageState(0, frozenset({3})).cursor[:-2],
        to_cursor("search", True),
        to_cursor("search", 0, *range(2, 5000)),
        base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    ],
)
def test_a_cursor_of_something_else_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput):
        PageState.of(cursor)


def test_in_their_order_the_first_ones_go_in_up_to_the_one_that_does_not_fit() -> None:
    assert pack([40, 60, 200, 10], 150, 6) == [0, 1]
    assert pack([40, 60, 10], 150, 2) == [0, 1]
    assert pack([400, 10], 150, 6) == [0]
    assert pack([], 150, 6) == []
