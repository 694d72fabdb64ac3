"""Which spellings count as a slip of the pen."""

import pytest

from mcp_memory.text.terms import spellings


@pytest.mark.parametrize("slip", ["kestrl", "kestreel", "kastrel", "ketsrel", "estrel", "kestrels"])
def test_one_slip_is_mended(slip: str) -> None:
    assert "kestrel" in spellings(slip)


@pytest.mark.parametrize("word", ["barn", "abc-1234", "v2147", "пустельга", "x" * 40, ""])
def test_short_words_identifiers_and_other_scripts_are_taken_by_the_letter(word: str) -> None:
    assert spellings(word) == []


def test_a_word_is_not_its_own_slip_and_every_spelling_is_given_once() -> None:
    found = spellings("kestrel")

    assert "kestrel" not in found
    assert len(found) == len(set(found)) < 500
