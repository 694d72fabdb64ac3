"""Features of candidates: pure, named, each within its bounds."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.search.features import NAMES, MessageFeatures, describe
from mcp_memory.search.kinds import PRIORS, weights_for
from mcp_memory.search.query import read_question
from mcp_memory.search.rank import order
from mcp_memory.search.routes import Evidence

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
QUESTION = read_question("When did Ada paint the harbour?", now=NOW, zone=UTC)
RARITY = {lexeme: 1.0 + place for place, lexeme in enumerate(QUESTION.lexemes)}


def chunk(
    chunk_id: int,
    *,
    place: int = 1,
    thread: str = "s1",
    candidate: bool = True,
    role: str = "user",
    speaker: str | None = None,
    tokens: int = 20,
    asks: bool = False,
    dated: bool = False,
    cosine: float | None = 0.3,
    alone: float | None = None,
    words: tuple[str, ...] = (),
    occurred_at: datetime = NOW,
    importance: float | None = None,
) -> Evidence:
    held = {lexeme for word in words for lexeme in read_question(word, now=NOW, zone=UTC).lexemes}
    hits = [1.0 if lexeme in held else 0.0 for lexeme in QUESTION.lexemes]
    return Evidence(
        chunk_id,
        candidate,
        thread,
        place,
        role,
        speaker,
        tokens,
        tokens,
        asks,
        dated,
        occurred_at,
        importance,
        cosine,
        cosine if alone is None else alone,
        hits,
    )


def features_of(evidence: list[Evidence]) -> dict[int, dict[str, float]]:
    return {each.chunk_id: each.features for each in describe(QUESTION, RARITY, evidence)}


def test_every_feature_has_a_name_and_a_weight() -> None:
    (only,) = features_of([chunk(1)]).values()
    assert set(only) == {*NAMES, *PRIORS}
    for provider in ("minilm", "hashing", "openai", ""):
        assert set(weights_for(provider).features) == {*NAMES, *PRIORS}


def test_more_of_the_questions_words_cover_more_of_it() -> None:
    found = features_of([chunk(1, words=("paint",)), chunk(2, place=5, words=("paint", "harbour"))])
    assert found[2]["coverage"] > found[1]["coverage"]
    assert found[2]["lexical"] == 1.0


def test_a_speaker_who_is_named_is_told_from_one_who_is_mentioned() -> None:
    found = features_of([chunk(1, speaker="Ada"), chunk(2, place=3, speaker="Ben", words=("Ada",))])
    assert (found[1]["speaker"], found[2]["speaker"]) == (1.0, 0.0)
    assert (found[1]["mentioned"], found[2]["mentioned"]) == (0.0, 1.0)


def test_a_short_message_answers_the_question_before_it() -> None:
    before = chunk(1, place=1, asks=True, words=("harbour",))
    found = features_of([before, chunk(2, place=2, tokens=3), chunk(3, place=2, thread="s2")])
    assert found[2]["answers"] > 0
    assert found[2]["answers_lexical"] > 0
    assert found[3]["answers"] == 0


def test_a_row_that_is_no_candidate_is_not_described() -> None:
    assert set(features_of([chunk(1), chunk(2, place=2, candidate=False)])) == {1}


def test_several_chunks_of_one_message_are_one() -> None:
    (only,) = describe(QUESTION, RARITY, [chunk(1, cosine=0.2), chunk(2, cosine=0.9)])
    assert only.chunk_id == 2
    assert only.features["cosine"] == 0.9


def test_users_are_favoured_only_where_assistants_write_much_more() -> None:
    people = [chunk(1, role="user"), chunk(2, place=2, role="assistant")]
    machine = [chunk(1, role="user"), chunk(2, place=2, role="assistant", tokens=900)]
    assert features_of(people)[1]["user"] == 0.0
    assert features_of(machine)[1]["user"] == 1.0


@pytest.mark.parametrize(("days", "near"), [(0, 1.0), (4, 0.5), (400, 0.0)])
def test_what_happened_near_the_named_day_is_near(days: int, near: float) -> None:
    question = read_question("what happened yesterday", now=NOW, zone=UTC)
    at = NOW.replace(hour=12) - timedelta(days=1 + days)
    (only,) = describe(question, {}, [chunk(1, occurred_at=at)])
    assert only.features["day"] == pytest.approx(near, abs=0.1)


def first_of(*evidence: Evidence) -> int:
    described = describe(QUESTION, RARITY, evidence)
    return order(described, {}, evidence, weights_for("minilm"))[0].chunk_id


@pytest.mark.parametrize("newer", [1, 2])
def test_of_equals_the_newer_and_the_more_important_go_first(newer: int) -> None:
    older = 3 - newer
    before = NOW - timedelta(days=30)
    assert first_of(chunk(newer), chunk(older, place=9, occurred_at=before)) == newer
    important = chunk(newer, importance=0.9), chunk(older, place=9, importance=0.2)
    assert first_of(*important) == newer


def test_no_prior_outweighs_what_is_said() -> None:
    old = chunk(1, cosine=0.33, occurred_at=NOW - timedelta(days=3000), importance=0.0)
    assert first_of(old, chunk(2, place=9, cosine=0.3, importance=1.0)) == 1


# Analysed once: what is cached on the way would make drawing depend on what was drawn before.
WORDS = [("paint",), ("harbour",), ("Ada",), ("paint", "harbour"), ()]
for each_words in WORDS:
    chunk(0, words=each_words)

CHUNKS = st.lists(
    st.builds(
        chunk,
        st.integers(1, 10_000),
        place=st.integers(1, 30),
        thread=st.sampled_from(["s1", "s2", "d3"]),
        candidate=st.booleans(),
        role=st.sampled_from(["user", "assistant", "tool"]),
        speaker=st.sampled_from([None, "Ada", "Ben"]),
        tokens=st.integers(0, 2000),
        asks=st.booleans(),
        dated=st.booleans(),
        cosine=st.none() | st.floats(-1, 1),
        words=st.sampled_from(WORDS),
    ),
    max_size=30,
    unique_by=lambda each: each.chunk_id,
)


@given(CHUNKS)
def test_features_do_not_depend_on_the_order_of_the_rows(evidence: list[Evidence]) -> None:
    shuffled = random.Random(1).sample(evidence, len(evidence))

    def by_message(described: list[MessageFeatures]) -> dict[object, dict[str, float]]:
        return {
            each.message: {name: round(value, 9) for name, value in each.features.items()}
            for each in described
        }

    # Role, speaker and time are the message's own, so that any of its chunks may say them.
    alike = {each.message: each for each in evidence}
    same = [
        each._replace(role=its.role, speaker=its.speaker, message_tokens=its.message_tokens)
        for each in shuffled
        for its in [alike[each.message]]
    ]
    assert by_message(describe(QUESTION, RARITY, same)) == by_message(
        describe(QUESTION, RARITY, sorted(same, key=lambda each: each.chunk_id))
    )


@given(CHUNKS)
def test_features_are_bounded(evidence: list[Evidence]) -> None:
    for each in describe(QUESTION, RARITY, evidence):
        for name, value in each.features.items():
            assert -1.0 <= value <= 1.3, name


def test_what_waits_for_its_vector_is_taken_to_be_as_near_as_the_others_are() -> None:
    late = chunk(3, place=9, cosine=None)
    found = features_of([chunk(1, cosine=0.5), chunk(2, place=5, cosine=0.1), late])
    assert found[3]["cosine"] == found[3]["alone"] == pytest.approx(0.3)
    assert features_of([late])[3]["cosine"] == 0.0
