"""Tests of the token estimate and of the counter that never waits."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given
from hypothesis import strategies as st

from mcp_memory.text.tokens import TokenCounter, estimate_tokens, weigh

BLOCKED = """
import threading
from mcp_memory.text.tokens import TokenCounter, estimate_tokens

counter = TokenCounter()
thread = counter.start_loading()
input()
assert counter.count("hello world") == estimate_tokens("hello world") == 2
assert thread.is_alive() and thread.daemon and not counter.is_exact
print("counted", flush=True)
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


@pytest.mark.parametrize(
    "error",
    [
        OSError("no route"),
        ValueError("hash mismatch"),
        ImportError("no requests"),
        RuntimeWarning("raised by whoever makes errors of warnings"),
    ],
)
def test_a_failed_load_leaves_the_estimate(error: Exception) -> None:
    def load() -> tiktoken.Encoding:
        raise error

    counter = TokenCounter(load)
    counter.start_loading().join(timeout=10)
    assert (counter.is_exact, counter.count("hello world")) == (False, 2)


def test_what_comes_after_the_bound_is_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def load() -> tiktoken.Encoding:
        assert release.wait(timeout=10)
        return bytes_only()

    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    counter = TokenCounter(load, bound_seconds=5)
    thread = counter.start_loading()
    now[0] = 5.1
    release.set()
    thread.join()
    assert not counter.is_exact


def test_a_hanging_download_delays_neither_a_count_nor_the_exit(tmp_path: Path) -> None:
    """The download goes to a proxy that takes the connection and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        proxy.settimeout(20)
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        environment = {
            **os.environ,
            "HTTPS_PROXY": address,
            "https_proxy": address,
            "NO_PROXY": "",
            "no_proxy": "",
            "TIKTOKEN_CACHE_DIR": str(tmp_path),
        }
        with subprocess.Popen(
            [sys.executable, "-c", BLOCKED],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                connection, _ = proxy.accept()
                with connection:
                    output, errors = process.communicate("go on\n", timeout=20)
            finally:
                process.kill()
    assert (process.returncode, output.strip()) == (0, "counted"), errors
