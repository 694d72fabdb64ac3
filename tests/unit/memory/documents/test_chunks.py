"""Chunks and the plan of what to do with them: what did not change keeps its row."""

from collections import Counter
from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.memory.documents.chunks import add_lexemes, plan, split
from mcp_memory.text.findable import NewChunk
from mcp_memory.text.tokens import estimate_tokens


def new_chunk(position: int, letter: str) -> NewChunk:
    return NewChunk(position, "", position + 1, position + 1, letter, letter.encode(), 1, "")


def wanted_of(letters: str) -> list[NewChunk]:
    return [new_chunk(position, letter) for position, letter in enumerate(letters)]


def existing_of(letters: str) -> list[tuple[int, bytes]]:
    return [(100 + place, letter.encode()) for place, letter in enumerate(letters)]


def test_what_is_the_same_is_kept_in_its_order() -> None:
    done = plan(existing_of("abc"), wanted_of("abc"))

    assert [(chunk_id, chunk.text) for chunk_id, chunk in done.kept] == [
        (100, "a"),
        (101, "b"),
        (102, "c"),
    ]
    assert (done.added, done.removed) == ([], [])


def test_only_what_changed_is_added_and_removed() -> None:
    done = plan(existing_of("abc"), wanted_of("axc"))

    assert [chunk_id for chunk_id, _ in done.kept] == [100, 102]
    assert [chunk.text for chunk in done.added] == ["x"]
    assert done.removed == [101]


def test_equal_chunks_are_matched_one_to_one_in_order() -> None:
    done = plan(existing_of("aaa"), wanted_of("aa"))

    assert [chunk_id for chunk_id, _ in done.kept] == [100, 101]
    assert done.removed == [102]


@given(st.text("abcd", max_size=12), st.text("abcd", max_size=12))
def test_after_the_plan_the_index_holds_exactly_what_is_wanted(before: str, after: str) -> None:
    existing, wanted = existing_of(before), wanted_of(after)
    done = plan(existing, wanted)
    kept_ids = [chunk_id for chunk_id, _ in done.kept]
    hashes = dict(existing)

    assert sorted([*kept_ids, *done.removed]) == sorted(hashes)
    assert all(hashes[chunk_id] == chunk.text_hash for chunk_id, chunk in done.kept)
    assert sorted(c.position for c in [*done.added, *(c for _, c in done.kept)]) == list(
        range(len(wanted))
    )
    assert len(done.kept) == sum((Counter(before) & Counter(after)).values())


async def test_a_long_text_gives_the_same_chunks_as_its_sections_alone() -> None:
    sections = [f"# Part {n}\n\n" + f"Sentence {n} of the part. " * 30 for n in range(20)]
    together = await split("\n".join(sections))
    alone = [chunk for section in sections for chunk in await split(section)]

    assert [chunk.text_hash for chunk in together] == [chunk.text_hash for chunk in alone]
    assert [chunk.position for chunk in together] == list(range(len(together)))


async def test_a_chunk_is_found_by_the_words_of_its_heading() -> None:
    chunks = await split("# Kestrels\n\nThey hover.")
    (chunk,) = await add_lexemes(chunks, path="birds.md", tags=["falcons"], day=date(2026, 3, 1))

    assert chunk.heading == "Kestrels"
    assert "'kestrel':" in chunk.lexemes
    assert "'hover':" in chunk.lexemes
    assert "'falcon'" in chunk.lexemes
    assert "'bird'" in chunk.lexemes
    assert "'~on:2026-03-01'" in chunk.lexemes
    assert chunk.tokens == estimate_tokens(chunk.text)


async def test_the_same_words_below_another_heading_are_another_chunk() -> None:
    (first,) = await split("# Ada\n\nLikes tea.")
    (second,) = await split("# Ben\n\nLikes tea.")

    assert first.text_hash != second.text_hash


async def test_an_empty_text_has_no_chunks() -> None:
    assert await split("") == []
    assert await split(" \n\n ") == []
