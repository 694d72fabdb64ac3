"""The words for times: every language has them, in the form in which texts are read."""

import json
from typing import cast

import pytest

from lab.date_words import LANGUAGES
from mcp_memory.text.terms import fold
from mcp_memory.text.time_words import FILE, date_words


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_has_months_weekdays_and_yesterday(language: str) -> None:
    words = date_words(language)
    # Dutch `mei` and Swedish `maj` are too short to be told from other words.
    assert set(words.months.values()) | {4} == set(range(12))
    assert set(words.weekdays.values()) == set(range(7))
    meanings = {meaning for phrases in words.phrases.values() for _, meaning in phrases}
    assert ("day", -1) in meanings


def test_the_file_is_folded_as_texts_are() -> None:
    text = FILE.read_text("utf-8")
    assert fold(text) == text
    assert list(cast("dict[str, object]", json.loads(text))) == LANGUAGES
