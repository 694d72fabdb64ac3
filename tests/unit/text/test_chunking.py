"""Tests of chunking."""

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.errors import InvalidInput
from mcp_memory.text.chunking import Chunk, chunk_markdown, chunk_text, document_title, split_lines
from mcp_memory.text.tokens import estimate_tokens

MARKDOWN_LINES = st.lists(
    st.sampled_from(
        [
            "",
            "# One",
            "## Two ##",
            "### Three",
            "a paragraph of a few words",
            "- item",
            "  more of it",
            "1. first",
            "```",
            "~~~py",
            "---",
            "===",
            "| a | b |",
            "    code",
            "long " * 60,
            "x" * 300,
            "中文句子。" * 40,
            "\t",
        ]
    )
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=60),
    max_size=40,
)


def long_section(name: str) -> str:
    return "\n\n".join([f"# {name}", *(f"{name} paragraph {n} says it." for n in range(30))])


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n"])
def test_a_blank_text_has_no_chunks(text: str) -> None:
    assert chunk_markdown(text) == chunk_text(text) == []


def test_a_chunk_carries_its_trail_and_its_lines() -> None:
    text = "intro\n\n# A\ntext a\n\n## B\n\ntext b\n\n### C #\ntext c\n## D\ntext d\n# E\ntext e\n"
    assert chunk_markdown(text) == [
        Chunk("intro", "", 1, 1),
        Chunk("# A\ntext a", "A", 3, 4),
        Chunk("## B\n\ntext b", "A > B", 6, 8),
        Chunk("### C #\ntext c", "A > B > C", 10, 11),
        Chunk("## D\ntext d", "A > D", 12, 13),
        Chunk("# E\ntext e", "E", 14, 15),
    ]


def test_a_heading_with_nothing_under_it_opens_its_first_subsection() -> None:
    assert chunk_markdown("# A\n\n## B\ntext\n") == [Chunk("# A\n\n## B\ntext", "A > B", 1, 4)]


def test_an_empty_section_is_a_chunk_of_its_own() -> None:
    assert chunk_markdown("# A\n# B\ntext") == [
        Chunk("# A", "A", 1, 1),
        Chunk("# B\ntext", "B", 2, 3),
    ]


def test_a_document_of_one_heading_is_one_chunk() -> None:
    assert chunk_markdown("# Only") == [Chunk("# Only", "Only", 1, 1)]


def test_an_underlined_heading_is_a_heading() -> None:
    assert [chunk.heading for chunk in chunk_markdown("A\n===\nx\n\nB\n---\ny")] == ["A", "A > B"]


def test_front_matter_is_not_a_heading_and_is_found() -> None:
    text = "---\ntitle: T\ntags: [a]\n---\n\n# A\ntext"
    assert chunk_markdown(text) == [
        Chunk("---\ntitle: T\ntags: [a]\n---", "", 1, 4),
        Chunk("# A\ntext", "A", 6, 7),
    ]


@pytest.mark.parametrize("fence", ["```", "~~~", "````", "  ```"])
def test_a_comment_in_a_fence_is_not_a_heading(fence: str) -> None:
    text = f"# A\n{fence}sh\n# not a heading\n{fence}\n# B"
    assert [chunk.heading for chunk in chunk_markdown(text)] == ["A", "B"]


def test_a_shorter_fence_does_not_close_a_longer_one() -> None:
    assert len(chunk_markdown("````\n```\n# no\n```\n````\ntext")) == 1


@pytest.mark.parametrize(
    "block",
    [
        "\n".join(f"- item {n}\n\n  with more" for n in range(8)),
        "```\n" + "\n\n".join(f"line {n}" for n in range(20)) + "\n```",
        "| a | b |\n|---|---|\n" + "\n".join(f"| {n} | x |" for n in range(12)),
        "1. one\n   ```\n   # code\n   ```\n2. two",
    ],
    ids=["list", "fence", "table", "fence in a list"],
)
def test_a_block_that_fits_is_kept_whole(block: str) -> None:
    text = f"{'word ' * 70}\n\n{block}\n\n{'word ' * 70}"
    holders = [c for c in chunk_markdown(text, max_tokens=150) if block in c.text]
    assert estimate_tokens(block) <= 150
    assert len(holders) == 1


def test_a_long_list_is_cut_between_items() -> None:
    text = "\n".join(f"- item {n}\n  and its second line" for n in range(60))
    chunks = chunk_markdown(text, max_tokens=60)
    assert len(chunks) > 5
    assert all(chunk.text.startswith("- item") for chunk in chunks)


def test_carriage_returns_do_not_move_lines() -> None:
    text = "# A\ntext\n\n## B\nmore\n"
    assert chunk_markdown(text.replace("\n", "\r\n")) == chunk_markdown(text)


def test_only_a_newline_ends_a_line() -> None:
    assert split_lines("a\u2028b\x0cc\rd\ne\n") == ["a\u2028b\x0cc\rd", "e"]


def test_an_edit_in_one_section_leaves_the_other_sections_chunks() -> None:
    before = [long_section("one"), long_section("two"), long_section("three")]
    after = [before[0], "# two\n\nrewritten", before[2]]
    old = chunk_markdown("\n\n".join(before), max_tokens=100)
    new = chunk_markdown("\n\n".join(after), max_tokens=100)
    kept = [(c.heading, c.text) for c in old if c.heading != "two"]
    assert len(kept) > 4
    assert kept == [(c.heading, c.text) for c in new if c.heading != "two"]


def test_a_line_of_a_mebibyte_is_cut_between_sentences() -> None:
    text = "One sentence says a little. " * 37_450
    chunks = chunk_markdown(text)
    assert len(text) > 2**20 - 100
    assert {(c.start_line, c.end_line) for c in chunks} == {(1, 1)}
    assert all(c.text.strip().endswith(".") for c in chunks)
    assert "".join(c.text for c in chunks) == text


@pytest.mark.parametrize(
    "text", ["a" * 5000, "漢" * 5000, "😀" * 3000, "= " * 3000, "word " * 3000]
)
def test_a_line_without_sentences_is_cut_and_loses_nothing(text: str) -> None:
    chunks = chunk_markdown(text)
    assert "".join(c.text for c in chunks) == text
    assert all(estimate_tokens(c.text) <= 400 for c in chunks)


def test_plain_text_has_no_headings() -> None:
    assert chunk_text("# not one\n\n- nor a list") == [Chunk("# not one\n\n- nor a list", "", 1, 3)]


@pytest.mark.parametrize("chunked", [chunk_markdown, chunk_text])
def test_a_limit_too_small_to_hold_a_word_is_refused(
    chunked: Callable[..., list[Chunk]],
) -> None:
    with pytest.raises(InvalidInput) as refused:
        chunked("text", max_tokens=1)
    assert refused.value.parameter == "max_tokens"


@pytest.mark.timeout(60)
@pytest.mark.parametrize("length", [2**17, pytest.param(2**19, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "part", ["# a\n", "a\n=\n", "```\n", "- a\n\n", "---\n", "- ", "|a", "`", "[x](y) ", "# \t"]
)
def test_a_hostile_document_is_chunked_in_linear_time(part: str, length: int) -> None:
    """Quadratic work on so many parts would take minutes, far beyond the test's limit."""
    assert chunk_markdown(part * (length // len(part)))


def test_the_end_of_a_long_line_does_not_run_into_the_next_one() -> None:
    *_, last = chunk_markdown("word " * 90 + "end\nnext line", max_tokens=40)
    assert last.text.endswith("end\nnext line")


def test_a_line_of_very_many_spaces_is_no_line() -> None:
    text = f"```\nbefore\n{' ' * 1_000_000}\nafter\n```"
    assert [c.text for c in chunk_markdown(text, max_tokens=40)] == ["```\nbefore\nafter\n```"]


@pytest.mark.parametrize(
    "text", ["x" * 99 + "\u00c0", "x" * 160 + "\n\u00e9", "!" * 50 + "\u2192" * 3, "e\u0301" * 60]
)
def test_what_is_cut_in_pieces_weighs_no_more_when_they_are_joined(text: str) -> None:
    assert all(estimate_tokens(c.text) <= 16 for c in chunk_markdown(text, max_tokens=16))


@given(MARKDOWN_LINES, st.sampled_from([16, 40, 400]))
def test_any_document_is_covered_in_order_by_chunks_that_fit(
    lines: list[str], max_tokens: int
) -> None:
    text = "\n".join(lines)
    lines = split_lines(text)
    chunks = chunk_markdown(text, max_tokens=max_tokens)
    covered = {n for c in chunks for n in range(c.start_line, c.end_line + 1)}
    assert covered >= {n for n, line in enumerate(lines, start=1) if line.strip()}
    assert all(a.end_line <= b.start_line for a, b in pairwise(chunks))
    assert all(estimate_tokens(c.text) <= max_tokens for c in chunks)


@given(MARKDOWN_LINES)
def test_a_chunk_is_the_text_of_its_lines(lines: list[str]) -> None:
    text = "\n".join(lines)
    for chunk in chunk_markdown(text, max_tokens=10_000):
        cited = split_lines(text)[chunk.start_line - 1 : chunk.end_line]
        assert chunk.text == "\n".join(cited)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ('---\ntitle: "My notes"\n---\n# Other', "My notes"),
        ("---\ntags: x\n---\n# Heading #", "Heading"),
        ("text\n\n## Second level", "Second level"),
        ("```\n# code\n```\ntext", "today.md"),
        ("title: not front matter", "today.md"),
        ("", "today.md"),
    ],
)
def test_the_title_of_a_document_is(text: str, title: str) -> None:
    assert document_title(text, "notes/today.md") == title
