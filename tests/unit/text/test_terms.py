"""Tests of lexical analysis."""

# ruff: noqa: RUF001 - words in other scripts are the point

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.text.terms import (
    LEXEME_BYTES,
    TSQUERY_LEXEMES,
    TSVECTOR_BYTES,
    index_lexemes,
    lexemes,
    query_lexemes,
    tsquery,
    tsvector,
)

# One entry as tsvector's input function reads it: a quoted lexeme, then its positions.
ENTRY = re.compile(r"'((?:[^'\\]|''|\\\\)+)'(?::(\d+(?:,\d+)*))?")


def entries(literal: str) -> dict[str, list[int]]:
    """What PostgreSQL would read from a literal; fails where it would refuse it."""
    found: dict[str, list[int]] = {}
    place = 0
    while place < len(literal):
        entry = ENTRY.match(literal, place)
        assert entry is not None, literal[place : place + 40]
        lexeme = entry[1].replace("''", "'").replace("\\\\", "\\")
        found[lexeme] = [int(number) for number in (entry[2] or "").split(",") if number]
        place = entry.end() + 1
        assert place > len(literal) or literal[entry.end()] == " "
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Conversations conversed", ["convers", "convers"]),
        ("ABC-1234", ["abc-1234", "abc", "1234"]),
        ("snake_case", ["snake_case", "snake", "case"]),
        ("kestrel-9", ["kestrel-9", "kestrel", "9"]),
        ("camelCase", ["camelcase", "camelcas", "camel", "case"]),
        ("HTTPServer2", ["httpserver2", "http", "server", "2"]),
        ("foo.bar.baz", ["foo.bar.baz", "foo", "bar", "baz"]),
        ("src/app/main.py", ["src/app/main.py", "main.py", "src", "app", "main", "py"]),
        ("v1.2.3", ["v1.2.3", "v1", "v", "1", "2", "3"]),
        ("#123 C++ C#", ["#123", "123", "c++", "c", "c#", "c"]),
        ("user@example.com", ["user@example.com", "example.com", "user", "exampl", "com"]),
        ("state-of-the-art", ["state-of-the-art", "state", "of", "the", "art"]),
        (".gitignore", [".gitignore", "gitignor"]),
        ("1,234.5 and 1,000", ["1234.5", "1234", "5", "and", "1000"]),
        ("don't Caroline's we'll", ["dont", "carolin", "we"]),
        ("l’homme", ["lhomm", "l", "homm"]),
        ("PDFs APIs", ["pdfs", "pdf", "api"]),
        ("café", ["café", "cafe"]),
        ("Ёлка в Москве", ["елк", "в", "москв"]),
        ("北京欢迎", ["北京", "京欢", "欢迎"]),
        ("猫", ["猫"]),
        ("東京タワー", ["東京", "京タ", "タワ", "ワー"]),
        ("한국어", ["한국", "국어"]),
        ("👍🏽 🇩🇪 ❤️ 👩‍💻", ["👍", "🇩🇪", "❤", "👩", "💻"]),
        ("zero\u200bwidth so\u00adft", ["zerowidth", "soft"]),
        ("Ｆｕｌｌ ﬁne", ["full", "fine"]),
        ("nul\0nul", ["nul", "nul"]),
        ("... --- !!! | € \x01", []),
    ],
)
def test_a_text_has_these_lexemes(text: str, expected: list[str]) -> None:
    assert lexemes(text) == expected


@pytest.mark.parametrize(
    "word",
    ["needle", "Москва", "Ёлка", "北京", "ภาษาไทย", "الكتاب", "Αθήνα", "Երևան", "नमस्ते", "שלום"],
)
def test_punctuation_around_a_word_changes_nothing(word: str) -> None:
    frames = ["{}?", "-{}-", "({})", '"{}"', "'{}'", "{}:", "¿{}", "«{}»", "{}。", "{}؟"]
    framed = {frame: query_lexemes(frame.format(word)) for frame in frames}
    assert framed == dict.fromkeys(frames, query_lexemes(word))
    assert set(query_lexemes(word)) - set(lexemes(f"x {word} y")) == set()
    assert query_lexemes(word) != []


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("cafe", "the café"),
        ("CAFÉ", "the cafe\u0301"),
        ("resumes", "two résumés"),
        ("елка", "Ёлка стояла"),
        ("замок", "старый за́мок"),
        ("strasse", "Straße"),
        ("istanbul", "İstanbul"),
        ("lodz", "Łódź"),
        ("kestrel 9", "kestrel-9"),
        ("5mg", "5 mg"),
        ("camelcase", "a camelCase name"),
        ("PDF", "some PDFs"),
        ("猫", "我的猫叫小白"),
        ("مدرسة", "مَدْرَسَة"),
    ],
)
def test_another_spelling_finds_the_word(query: str, text: str) -> None:
    assert set(query_lexemes(query)) & set(index_lexemes(text))


@pytest.mark.parametrize(("one", "other"), [("5 mg", "50 mg"), ("5mg", "50mg"), ("й", "и")])
def test_what_differs_stays_apart(one: str, other: str) -> None:
    assert set(lexemes(one)) != set(lexemes(other))
    assert not set(lexemes(one)[:1]) & set(lexemes(other))


def test_stop_words_leave_a_query_that_has_other_words() -> None:
    assert query_lexemes("What is the name of Caroline's dog?") == ["name", "carolin", "dog"]
    assert query_lexemes("где находится вокзал") == lexemes("находится вокзал")


def test_stop_words_stay_when_there_is_nothing_else() -> None:
    assert query_lexemes("who is it?") == ["who", "is", "it"]


def test_an_acronym_is_not_the_stop_word_it_spells() -> None:
    assert query_lexemes("is the WHO in IT") == ["who", "it"]
    assert query_lexemes("WHO IS THE OWNER") == ["owner"]


def test_negation_is_searched_for() -> None:
    assert query_lexemes("what does she not like") == ["not", "like"]


def test_a_query_repeats_no_lexeme() -> None:
    assert query_lexemes("dogs, dog and DOGS") == ["dog"]


@pytest.mark.parametrize("query", ["", " ", "?!", "-- : ()", "'\"'", "\u200b", "\0"])
def test_a_query_of_punctuation_has_no_lexemes(query: str) -> None:
    assert query_lexemes(query) == []
    assert tsquery(query_lexemes(query)) == ""


def test_a_long_word_is_bounded_and_still_exact() -> None:
    long, longer = "х" * 5000, "х" * 5001
    assert lexemes(long) == lexemes(long.upper())
    assert lexemes(long) != lexemes(longer)
    assert all(len(lexeme.encode()) <= LEXEME_BYTES for lexeme in lexemes(long))


def test_a_tsvector_doubles_quotes_and_backslashes() -> None:
    assert tsvector("a dog", extra=["it's", "c:\\x"]) == r"'it''s' 'c:\\x' 'a':1 'dog':2"


def test_a_tsquery_doubles_quotes_and_backslashes() -> None:
    assert tsquery(["it's", "\\"], "&") == r"'it''s' & '\\'"
    assert tsquery(["a", "b"]) == "'a' | 'b'"


def test_a_tsquery_is_bounded() -> None:
    assert tsquery(f"w{n}" for n in range(5000)).count("|") == TSQUERY_LEXEMES - 1


def test_a_nul_in_a_given_lexeme_reaches_no_literal() -> None:
    assert "\0" not in tsvector("", extra=["a\0b", "\0"]) + tsquery(["a\0b"])


def test_positions_are_capped_in_number_and_in_value() -> None:
    found = entries(tsvector("dog " * 300 + "cat " * 20_000 + "owl"))
    assert found["dog"] == list(range(1, 256))
    assert found["cat"] == list(range(301, 556))
    assert found["owl"] == [16_383]


@pytest.mark.parametrize("words", [120_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_a_tsvector_of_a_huge_text_stays_within_postgresqls_limit(words: int) -> None:
    found = entries(tsvector(" ".join(f"word{n}" for n in range(words)), extra=["kept"]))
    size = sum(len(lexeme.encode()) + 2 * len(places) for lexeme, places in found.items())
    assert TSVECTOR_BYTES // 2 < size <= TSVECTOR_BYTES
    assert {"kept", "word0"} <= found.keys()


@pytest.mark.parametrize(
    "text",
    [
        "a" + "\u0301\u0316" * 200_000,
        ("\u0301" * 20 + "\u200d") * 20_000,
        "123," * 200_000,
        "1,000," * 100_000,
        "a'" * 200_000,
        "aB1" * 200_000,
        "a_" * 200_000,
    ],
    ids=["marks", "joined marks", "groups", "lists", "quotes", "cases", "joints"],
)
@pytest.mark.timeout(30)
def test_a_hostile_text_is_analysed_in_linear_time(text: str) -> None:
    """Quadratic work would take minutes here, far beyond the test's limit."""
    assert len(entries(tsvector(text))) < 100


@given(st.text())
def test_any_text_gives_bounded_lexemes_that_a_literal_holds(text: str) -> None:
    found = index_lexemes(text)
    assert all(0 < len(lexeme.encode()) <= LEXEME_BYTES for lexeme in found)
    assert not any("\0" in lexeme for lexeme in found)
    assert list(entries(tsvector(text))) == list(dict.fromkeys(found))


@given(st.text())
def test_any_query_is_found_in_the_same_text(query: str) -> None:
    assert set(query_lexemes(query)) <= set(index_lexemes(query))


@given(st.lists(st.text(), max_size=5))
def test_any_extra_lexemes_give_a_literal(extra: list[str]) -> None:
    assert len(entries(tsvector("", extra=extra))) <= len(set(extra))
