"""Files of others: what cannot be kept whole is not touched, what can keeps its layout."""

import pytest

from mcp_memory.interfaces.cli.json_files import NotPlainJson, difference, parse, render


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1} // why',
        '{/* why */ "a": 1}',
        '{"a": 1,}',
        "{a: 1}",
        '{"a": 1, "a": 2}',
        "[1]",
        "[" * 100_000,
    ],
)
def test_what_would_be_lost_is_refused(text: str) -> None:
    with pytest.raises(NotPlainJson):
        parse(text)


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_file_holds_an_empty_object(text: str) -> None:
    assert parse(text) == {}


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "b": 1,\n  "a": "ä"\n}\n',
        '{\n\t"b": {\n\t\t"c": []\n\t}\n}',
        '{\r\n    "b": 1\r\n}\r\n',
    ],
)
def test_a_document_is_written_as_it_was(text: str) -> None:
    assert render(parse(text), like=text) == text


def test_a_new_file_has_two_spaces_and_a_last_newline() -> None:
    assert render({"a": 1}, like="") == '{\n  "a": 1\n}\n'


def test_the_difference_names_the_file_and_the_lines() -> None:
    lines = difference("f.json", "{\n}\n", '{\n  "a": 1\n}\n').splitlines()
    assert lines[:2] == ["--- f.json (now)", "+++ f.json (then)"]
    assert '+  "a": 1' in lines
