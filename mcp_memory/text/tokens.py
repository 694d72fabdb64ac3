"""How many tokens a text has: an estimate at once, tiktoken's count once it can be had."""

import logging
import threading
import time
from bisect import bisect_right
from collections.abc import Callable
from functools import lru_cache

import regex
import tiktoken

logger = logging.getLogger(__name__)

TOKEN = 1000
"""Weights are whole thousandths of a token, so that sums are exact in any order."""

_NEWLINE = 500
_PIECE = regex.compile(
    r"\p{L}[\p{L}\p{M}]*(?:['\u2019](?:s|t|re|ve|m|ll|d)\b)?"
    r"|\p{N}{1,3}"
    r"|\n"
    r"|[^\S\n]{2,}"
    r"|[^\s\p{L}\p{N}]+"
)
_CASE_CHANGE = regex.compile(r"(?<=\p{Ll})(?=\p{Lu})")

# First code point of a script, letters that one token covers, weight of each further letter.
# Set by hand for o200k_base; never checked against its vocabulary, only against rules of thumb.
_SCRIPTS = (
    (0x0000, 5, 200),  # Latin with accents
    (0x0370, 2, 350),  # Greek
    (0x0400, 4, 190),  # Cyrillic
    (0x0530, 1, 450),  # Armenian
    (0x0590, 2, 450),  # Hebrew
    (0x0600, 3, 400),  # Arabic
    (0x0700, 0, 900),
    (0x0900, 3, 420),  # Indic scripts
    (0x0E00, 0, 450),  # Thai, Lao
    (0x0F00, 0, 700),
    (0x10A0, 1, 450),  # Georgian
    (0x1100, 0, 900),
    (0x1E00, 3, 400),  # Vietnamese letters, old Greek
    (0x2E80, 0, 900),
    (0x3040, 0, 550),  # kana
    (0x3400, 0, 700),  # Han
    (0xA000, 0, 1500),
    (0xAC00, 0, 550),  # Hangul
    (0xD7B0, 0, 1500),
    (0x10000, 0, 2500),
)
_FIRST_POINTS = [first for first, _, _ in _SCRIPTS]
_CACHED_LENGTH = 32

# tiktoken's regex overflows its stack, as a BaseException, on a mebibyte of spaces. Longer texts
# are counted in slices, at the price of at most one token too many for each seam.
_ENCODED_LENGTH = 65_536


def estimate_tokens(text: str) -> int:
    """An estimate of the o200k_base count that never depends on what is installed."""
    return -(-weigh(text) // TOKEN)


def weigh(text: str) -> int:
    """The estimate in thousandths; adding up over lines and their newlines is exact."""
    return sum(
        _weigh_known(piece) if len(piece) <= _CACHED_LENGTH else _weigh_piece(piece)
        for piece in _PIECE.findall(text)
    )


def _weigh_piece(piece: str) -> int:
    first = piece[0]
    if first == "\n":
        return _NEWLINE
    if first.isspace():
        return TOKEN + 15 * len(piece)
    if first.isnumeric():
        return TOKEN if piece.isascii() else TOKEN * len(piece)
    if not first.isalpha():
        return _weigh_symbols(piece)
    return _weigh_ascii_word(piece) if piece.isascii() else _weigh_letters(piece)


_weigh_known = lru_cache(maxsize=32_768)(_weigh_piece)


def _weigh_symbols(piece: str) -> int:
    if piece.isascii():
        return TOKEN + 300 * (len(piece) - 1)
    return sum(_weigh_symbol(symbol) for symbol in piece)


def _weigh_symbol(symbol: str) -> int:
    return 2 * TOKEN if ord(symbol) >= 0x1F000 else TOKEN


def _weigh_ascii_word(word: str) -> int:
    if len(word) > 3 and word.isupper():
        return TOKEN + 200 * (len(word) - 3)
    humps = 1 + len(_CASE_CHANGE.findall(word))
    return TOKEN * humps + 120 * max(0, len(word) - 9 * humps)


def _weigh_letters(word: str) -> int:
    _, covered, further = _SCRIPTS[bisect_right(_FIRST_POINTS, _script_point(word)) - 1]
    start = TOKEN if covered else 0
    return max(TOKEN, start + further * max(0, len(word) - covered))


def _script_point(word: str) -> int:
    """The code point that tells the script: an accent counts for more than plain letters."""
    return max(map(ord, word[:_CACHED_LENGTH]))


def load_o200k() -> tiktoken.Encoding:
    """tiktoken's o200k_base, from TIKTOKEN_CACHE_DIR or by a download that may hang for ever."""
    return tiktoken.get_encoding("o200k_base")


class TokenCounter:
    """Counts exactly once a vocabulary is loaded, by the estimate until then; never waits for it.

    tiktoken's download has no timeout and cannot be interrupted: it runs in a daemon thread,
    which never keeps the process alive, and what it brings after the bound is thrown away.
    """

    def __init__(
        self, load: Callable[[], tiktoken.Encoding] = load_o200k, *, bound_seconds: float = 120.0
    ) -> None:
        self._load = load
        self._bound_seconds = bound_seconds
        self._vocabulary: tiktoken.Encoding | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_exact(self) -> bool:
        """Whether counts come from the vocabulary."""
        return self._vocabulary is not None

    def start_loading(self, *, pause_seconds: float = 0) -> threading.Thread:
        """Load the vocabulary in the background, once however often it is called.

        After the pause: what it takes of the processor is not taken from a process that starts.
        """
        if self._thread is None:
            self._thread = threading.Thread(
                target=self._load_within_bound,
                args=(pause_seconds, time.monotonic() + pause_seconds),
                name="token-vocabulary",
                daemon=True,
            )
            self._thread.start()
        return self._thread

    def count(self, text: str) -> int:
        """The tokens of the text, at once."""
        vocabulary = self._vocabulary
        if vocabulary is None:
            return estimate_tokens(text)
        return sum(
            len(vocabulary.encode_ordinary(text[start : start + _ENCODED_LENGTH]))
            for start in range(0, len(text), _ENCODED_LENGTH)
        )

    def _load_within_bound(self, pause_seconds: float, started: float) -> None:
        time.sleep(pause_seconds)
        try:
            vocabulary = self._load()
        except Exception as error:  # its downloader is imported only now: anything may be amiss
            logger.info("token counts stay estimates: %s", error)
            return
        if time.monotonic() - started <= self._bound_seconds:
            self._vocabulary = vocabulary
            logger.info("token counts are exact")
