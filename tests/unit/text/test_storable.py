"""What PostgreSQL cannot hold is noticed before it is sent."""

import os

import pytest

from mcp_memory.text.terms import is_storable


@pytest.mark.parametrize(
    "text", ["", "text", "\x01\n\t\x7f", "🐘", "e\u0301", "\ud7ff\ue000\uffff"]
)
def test_what_utf_8_can_say_is_storable(text: str) -> None:
    assert is_storable(text)


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfff", os.fsdecode(b"caf\xe9")])
def test_nul_and_half_a_surrogate_pair_are_not(text: str) -> None:
    assert not is_storable(text)
