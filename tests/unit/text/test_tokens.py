"""Tests of the token estimate and of the counter that never waits."""

import base64
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.text.tokens import (
    TokenCounter,
    estimate_tokens,
    read_vocabulary,
    vocabulary_file,
    weigh,
)

WITHOUT_NETWORK = """
import sys

def refuse(event, _arguments):
    if event.startswith("socket."):
        sys.exit(f"asked the network: {event}")

sys.addaudithook(refuse)
from mcp_memory.text.tokens import TokenCounter

counter = TokenCounter()
counter.load()
print(counter.is_exact, counter.count("hello world"))
"""


def bytes_only() -> tiktoken.Encoding:
    """A vocabulary where each byte is a token."""
    ranks = {bytes([value]): value for value in range(256)}
    return tiktoken.Encoding(
        "bytes", pat_str=r"\s+|\S+", mergeable_ranks=ranks, special_tokens={"<|end|>": 256}
    )


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        ("hello", 1),
        ("hello world", 2),
        ("I'm here, it's fine.", 6),
        ("1234567890", 4),
        ("getUserName", 3),
        ("\n\n", 1),
        ("😀", 2),
    ],
)
def test_the_estimate_of_a_short_text_is(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_english_prose_has_between_four_and_five_characters_a_token() -> None:
    prose = (
        "The support group has made me feel accepted and given me courage to embrace myself. "
        "I was so happy and thankful for all the support, and the stories were inspiring. "
        "We walked along the river afterwards and talked about what we might do next year."
    )
    assert 4 <= len(prose) / estimate_tokens(prose) <= 5.5


def test_a_character_of_chinese_weighs_more_than_one_of_english() -> None:
    assert estimate_tokens("我是一种新型的语言模型" * 10) > 3 * estimate_tokens("languagesof" * 10)


@given(st.lists(st.text()))
def test_weights_add_up_over_lines(lines: list[str]) -> None:
    lines = [line.replace("\n", " ") for line in lines]
    assert sum(weigh(f"{line}\n") for line in lines) == weigh("".join(f"{x}\n" for x in lines))


@given(st.text(min_size=1))
def test_the_estimate_is_never_negative_nor_absurd(text: str) -> None:
    assert 0 <= estimate_tokens(text) <= 3 * len(text) + 1


def test_a_counter_estimates_before_it_is_loaded() -> None:
    counter = TokenCounter(bytes_only)
    assert (counter.is_exact, counter.count("hello world")) == (False, 2)


def test_a_counter_is_exact_once_it_is_loaded() -> None:
    counter = TokenCounter(bytes_only)
    counter.start_loading().join(timeout=10)
    assert (counter.is_exact, counter.count("hello world")) == (True, 11)


def test_text_that_looks_like_a_special_token_is_counted_as_text() -> None:
    counter = TokenCounter(bytes_only)
    counter.start_loading().join(timeout=10)
    assert counter.count("<|end|>") == 7


def test_a_mebibyte_of_spaces_is_counted() -> None:
    """Given at once, tiktoken's regex overflows its stack on it."""
    counter = TokenCounter(bytes_only)
    counter.start_loading().join(timeout=10)
    assert counter.count(" " * 2**20) == 2**20


def test_a_counter_loads_once_however_often_it_is_asked() -> None:
    loads: list[None] = []

    def load() -> tiktoken.Encoding:
        loads.append(None)
        return bytes_only()

    counter = TokenCounter(load)
    assert counter.start_loading() is counter.start_loading()
    counter.start_loading().join(timeout=10)
    assert len(loads) == 1


def test_without_a_vocabulary_the_estimate_stays() -> None:
    counter = TokenCounter(lambda: None)
    counter.start_loading().join(timeout=10)
    assert (counter.is_exact, counter.count("hello world")) == (False, 2)


def test_the_vocabulary_is_read_from_tiktokens_file_if_it_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "vocabulary"
    tokens = [*(bytes([value]) for value in range(256)), b"he", b"ll"]
    lines = [base64.b64encode(token) + b" %d" % rank for rank, token in enumerate(tokens)]
    file.write_bytes(b"\n".join(lines) + b"\n")
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()

    vocabulary = read_vocabulary(file, sha256)

    assert vocabulary is not None
    assert vocabulary.encode_ordinary("hello") == [256, 257, ord("o")]
    assert read_vocabulary(file, "another") is None
    assert read_vocabulary(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"TIKTOKEN_CACHE_DIR": "/kept", "DATA_GYM_CACHE_DIR": "/other"}, "/kept"),
        ({"DATA_GYM_CACHE_DIR": "/other"}, "/other"),
        ({"TIKTOKEN_CACHE_DIR": ""}, None),
        ({}, f"{tempfile.gettempdir()}/data-gym-cache"),
    ],
)
def test_the_vocabulary_lies_where_tiktoken_keeps_it(
    variables: dict[str, str], folder: str | None
) -> None:
    file = vocabulary_file(variables)
    # The name under which tiktoken keeps o200k_base.
    name = "fb374d419588a4632f3f557e76b4b70aebbca790"
    assert file == (Path(folder) / name if folder else None)


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True])
def test_the_network_is_never_asked_for_the_vocabulary(tmp_path: Path, damaged: bool) -> None:
    environment = os.environ | {"TIKTOKEN_CACHE_DIR": str(tmp_path)}
    if damaged:
        file = vocabulary_file(environment)
        assert file is not None
        file.write_bytes(b"damaged")
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_NETWORK],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "False 2\n"), done.stderr
