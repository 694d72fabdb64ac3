"""How many tokens a text has: by o200k_base where this machine has it, else an estimate."""

import base64
import hashlib
import logging
import os
import tempfile
import threading
import time
from bisect import bisect_right
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import regex
import tiktoken

logger = logging.getLogger(__name__)

TOKEN = 1000
"""Weights are whole thousandths of a token, so that sums are exact in any order."""

# A line's end often shares a token with what stands before it; set by hand, as the rest here.
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

# The vocabulary as OpenAI publishes it. tiktoken would fetch it, without a timeout, wherever it is
# missing or damaged; no request is made that nobody asked for, so only a copy that is here already
# is read. No package that carries it was fit: one of 41 MB, one with another vocabulary.
_O200K_URL = "https://openaipublic.blob.core.windows.net/encodings/o200k_base.tiktoken"
_O200K_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"
_O200K_PIECES = (
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    ),
    (
        r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
        r"(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    ),
    r"\p{N}{1,3}",
    r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
    r"\s*[\r\n]+",
    r"\s+(?!\S)",
    r"\s+",
)


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


def vocabulary_file(environ: Mapping[str, str]) -> Path | None:
    """Where tiktoken keeps o200k_base once it was fetched; None where it shall keep nothing."""
    usual = Path(tempfile.gettempdir()) / "data-gym-cache"
    named = environ.get("TIKTOKEN_CACHE_DIR", environ.get("DATA_GYM_CACHE_DIR", str(usual)))
    return Path(named) / hashlib.sha1(_O200K_URL.encode()).hexdigest() if named else None


def read_vocabulary(file: Path, sha256: str = _O200K_SHA256) -> tiktoken.Encoding | None:
    """The vocabulary in tiktoken's file; None where there is none, or one with another hash."""
    try:
        lines = file.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(lines).hexdigest() != sha256:
        return None
    pairs = (line.split() for line in lines.splitlines())
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    return tiktoken.Encoding(
        "o200k_base", pat_str="|".join(_O200K_PIECES), mergeable_ranks=ranks, special_tokens={}
    )


def load_o200k() -> tiktoken.Encoding | None:
    """o200k_base from this machine, if it is here."""
    file = vocabulary_file(os.environ)
    return read_vocabulary(file) if file else None


class TokenCounter:
    """Counts exactly once a vocabulary is loaded, by the estimate until then or without one."""

    def __init__(self, load: Callable[[], tiktoken.Encoding | None] = load_o200k) -> None:
        self._load = load
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
            # A daemon, which never keeps the process alive.
            self._thread = threading.Thread(
                target=self._load_after, args=(pause_seconds,), name="token-vocabulary", daemon=True
            )
            self._thread.start()
        return self._thread

    def load(self) -> None:
        """Load the vocabulary here and now; takes about a second."""
        self._vocabulary = self._load()
        logger.info("token counts are %s", "exact" if self.is_exact else "estimates")

    def count(self, text: str) -> int:
        """The tokens of the text, at once."""
        vocabulary = self._vocabulary
        if vocabulary is None:
            return estimate_tokens(text)
        return sum(
            len(vocabulary.encode_ordinary(text[start : start + _ENCODED_LENGTH]))
            for start in range(0, len(text), _ENCODED_LENGTH)
        )

    def _load_after(self, pause_seconds: float) -> None:
        time.sleep(pause_seconds)
        self.load()
