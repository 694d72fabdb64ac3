"""Tests of excerpts."""

from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.text.chunking import split_lines
from mcp_memory.text.snippets import fit
from mcp_memory.text.terms import query_lexemes
from mcp_memory.text.tokens import estimate_tokens

FILLER = "nothing of interest stands on this line"


def test_a_text_within_the_budget_comes_back_whole() -> None:
    assert fit("one\ntwo\n", 100, ["two"]) == ("one\ntwo\n", 0, 1)


def test_an_excerpt_holds_the_line_that_was_asked_for() -> None:
    lines = [FILLER] * 50
    lines[37] = "the kestrel nests in the old mill"
    excerpt, first, last = fit("\n".join(lines), 40, query_lexemes("kestrels nesting"))
    assert first < 37 < last
    assert excerpt == "\n".join(lines[first : last + 1])
    assert estimate_tokens(excerpt) <= 40


def test_two_words_together_win_over_one_repeated() -> None:
    lines = [FILLER] * 60
    lines[5] = "kestrel kestrel kestrel"
    lines[50] = "a kestrel at the mill"
    _, first, last = fit("\n".join(lines), 20, query_lexemes("kestrel mill"))
    assert first <= 50 <= last


def test_without_a_match_the_beginning_comes_back() -> None:
    text = "\n".join(f"line {n}" for n in range(100))
    assert fit(text, 10, ["absent"])[1] == fit(text, 10, [])[1] == 0


def test_a_long_line_is_cut_around_the_match() -> None:
    line = "Nothing here is new. " * 200 + "The kestrel nests. " + "Nothing here is new. " * 200
    excerpt, first, last = fit(f"short\n{line}\nshort", 50, ["kestrel"])
    assert (first, last) == (1, 1)
    assert "The kestrel nests." in excerpt
    assert excerpt in line
    assert estimate_tokens(excerpt) <= 50


def test_a_long_line_is_cut_without_a_gap_where_a_part_of_it_is_blank() -> None:
    excerpt, _, _ = fit("0\x1f0", 2, [])
    assert excerpt
    assert excerpt in "0\x1f0"


@given(st.text(max_size=400), st.integers(1, 60), st.lists(st.sampled_from(["a", "1", "b"])))
def test_any_excerpt_is_a_part_of_the_lines_it_names(
    text: str, budget: int, focus: list[str]
) -> None:
    excerpt, first, last = fit(text, budget, focus)
    lines = split_lines(text)
    assert 0 <= first <= last < max(1, len(lines))
    assert excerpt == text or excerpt in "\n".join(lines[first : last + 1])


@given(st.lists(st.sampled_from(["a b c d", "kestrel", "", "word " * 30]), max_size=30))
def test_an_excerpt_stays_within_the_budget(lines: list[str]) -> None:
    excerpt, _, _ = fit("\n".join(lines), 12, ["kestrel"])
    assert estimate_tokens(excerpt) <= 12
    assert ("kestrel" in excerpt) == ("kestrel" in lines)
