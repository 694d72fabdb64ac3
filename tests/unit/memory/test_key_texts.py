"""A key's text: what is one, and that it does not show by accident."""

import pytest

from mcp_memory.memory.keys import Token


def test_a_token_is_read_back_from_its_text() -> None:
    token = Token.fresh()
    assert Token.parse(token.text) == token


def test_no_two_tokens_are_alike() -> None:
    assert len({Token.fresh().text for _ in range(100)}) == 100


@pytest.mark.parametrize("text", ["", "mm_", "mm_0123456789ab_short", "sk-" + "a" * 60])
def test_other_text_is_no_token(text: str) -> None:
    assert Token.parse(text) is None
    assert Token.parse(f"{Token.fresh().text}x") is None


def test_a_printed_token_does_not_show_its_secret() -> None:
    token = Token.fresh()
    assert token.secret not in f"{token!r} {token}"
