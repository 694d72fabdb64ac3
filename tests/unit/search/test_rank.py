"""What fusing keeps to, whatever the weights: its order, its scores, and who is in it."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.search.kinds import Hit
from mcp_memory.search.rank import fuse, stable_order

IDS = st.integers(1, 30)
SHARE = st.floats(0.0, 1.0, allow_nan=False)


@st.composite
def lexical_hits(draw: st.DrawFn) -> list[Hit]:
    """What the lexical route may say of some chunks."""
    ids = draw(st.lists(IDS, unique=True, max_size=15))
    scores = st.floats(0.0, 50.0, allow_nan=False)
    return [Hit(id_, {"lexical": draw(scores), "coverage": draw(SHARE)}) for id_ in ids]


@st.composite
def semantic_hits(draw: st.DrawFn) -> list[Hit]:
    """What the semantic route may say of some chunks."""
    ids = draw(st.lists(IDS, unique=True, max_size=15))
    cosines = st.floats(-1.0, 1.0, allow_nan=False)
    return [Hit(id_, {"semantic": draw(cosines)}) for id_ in ids]


FOUND = st.fixed_dictionaries({"lexical": lexical_hits(), "semantic": semantic_hits()})


@given(FOUND)
def test_everything_found_is_ranked_once_with_the_routes_that_found_it(
    found: dict[str, list[Hit]],
) -> None:
    ranked = fuse(found)

    routes = {candidate.chunk_id: set(candidate.routes) for candidate in ranked}
    assert len(ranked) == len(routes)
    assert routes == {
        hit.chunk_id: {
            route for route, hits in found.items() if hit.chunk_id in {h.chunk_id for h in hits}
        }
        for hits in found.values()
        for hit in hits
    }


@given(FOUND, st.randoms(use_true_random=False))
def test_the_order_of_hits_and_of_routes_changes_nothing(
    found: dict[str, list[Hit]], random: Random
) -> None:
    shuffled = [(route, random.sample(hits, len(hits))) for route, hits in found.items()]
    random.shuffle(shuffled)

    assert fuse(dict(shuffled)) == fuse(found)


@given(FOUND)
def test_a_score_is_between_0_and_1(found: dict[str, list[Hit]]) -> None:
    assert all(0.0 <= candidate.score <= 1.0 for candidate in fuse(found))


@given(FOUND)
def test_each_candidate_keeps_every_signal_of_its_hits(found: dict[str, list[Hit]]) -> None:
    for candidate in fuse(found):
        hits = [h for hits in found.values() for h in hits if h.chunk_id == candidate.chunk_id]
        given_signals = [item for hit in hits for item in hit.signals.items()]
        assert set(given_signals) <= set(candidate.signals.items())


@given(lexical_hits())
def test_words_alone_can_win(hits: list[Hit]) -> None:
    ranked = fuse({"lexical": hits, "semantic": []})

    assert {candidate.chunk_id for candidate in ranked} == {hit.chunk_id for hit in hits}
    covered = [hit.chunk_id for hit in hits if hit.signals["coverage"] >= 0.5]
    assert all(candidate.score >= 0.2 for candidate in ranked if candidate.chunk_id in covered)


def test_more_matching_words_come_first() -> None:
    hits = [Hit(n, {"lexical": float(n), "coverage": n / 5}) for n in range(1, 6)]

    ranked = fuse({"lexical": hits, "semantic": []})

    assert [candidate.chunk_id for candidate in ranked] == [5, 4, 3, 2, 1]
    scores = [candidate.score for candidate in ranked]
    assert scores == sorted(set(scores), reverse=True)


def test_what_both_routes_find_comes_before_what_one_finds() -> None:
    ranked = fuse(
        {
            "lexical": [Hit(1, {"lexical": 9.0, "coverage": 0.9}), Hit(2, {"lexical": 9.0})],
            "semantic": [Hit(1, {"semantic": 0.8}), Hit(3, {"semantic": 0.8})],
        }
    )

    assert ranked[0].chunk_id == 1
    assert ranked[0].routes == ("lexical", "semantic")


@given(FOUND, st.integers(1, 5), st.integers(0, 4), SHARE)
def test_longer_lists_of_hits_only_continue_the_order(
    found: dict[str, list[Hit]], first: int, doublings: int, floor: float
) -> None:
    length = first * 2**doublings
    shorter = {route: hits[:length] for route, hits in found.items()}

    start = stable_order(shorter, floor=floor, first=first)
    whole = stable_order(found, floor=floor, first=first)

    assert whole[: len(start)] == start
    assert len({candidate.chunk_id for candidate in whole}) == len(whole)
    assert all(candidate.score >= floor for candidate in whole)


@given(FOUND)
def test_without_a_floor_the_order_leaves_nobody_out(found: dict[str, list[Hit]]) -> None:
    whole = stable_order(found, floor=0.0, first=1)

    assert {c.chunk_id for c in whole} == {c.chunk_id for c in fuse(found)}


def test_nothing_found_is_nothing_ranked() -> None:
    assert fuse({"lexical": [], "semantic": []}) == []
    assert fuse({}) == []
