"""Synthetic text with the word frequencies of natural language, the same from the same seed."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

VOCABULARY = 30_000
WORDS_A_CHUNK = 80
WORDS_A_SENTENCE = 12
CHUNKS_A_DOCUMENT = 10
_ONSETS = ("b", "d", "f", "gr", "k", "l", "m", "n", "pr", "r", "st", "t", "v", "z")
_VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Documents of ten sections each, every section one chunk, and questions about them."""

    documents: Sequence[str]
    queries: Sequence[str]


def make_corpus(chunks: int, *, queries: int, seed: int = 7) -> Corpus:
    """So many chunks. A question asks for two common words, two middling ones and a rare one."""
    random = np.random.default_rng(seed)
    words = np.array(zipf_words())
    drawn = random.choice(words, size=(chunks, WORDS_A_CHUNK), p=zipf_shares())
    sections = [_section(number, row.tolist()) for number, row in enumerate(drawn)]
    documents = [
        "\n".join(sections[start : start + CHUNKS_A_DOCUMENT])
        for start in range(0, chunks, CHUNKS_A_DOCUMENT)
    ]
    ranks = [(0, 100), (0, 100), (100, 3000), (100, 3000), (3000, VOCABULARY)]
    asked = [" ".join(words[random.integers(*span)] for span in ranks) for _ in range(queries)]
    return Corpus(documents, asked)


def zipf_words() -> list[str]:
    """The vocabulary, the most frequent word first."""
    return [_word(number) for number in range(VOCABULARY)]


def zipf_shares() -> NDArray[np.float64]:
    """How often each word stands, by Zipf's law as Mandelbrot has it: about 1 / (n + 2.7)."""
    shares = 1.0 / (np.arange(VOCABULARY) + 2.7)
    return shares / shares.sum()


def _word(number: int) -> str:
    """A pronounceable word of its own for each number; all end alike, so no stemmer joins two."""
    syllables = [_ONSETS[number % 14] + _VOWELS[number // 14 % 7]]
    number //= 98
    while number or len(syllables) < 2:
        syllables.append(_ONSETS[number % 14] + _VOWELS[number // 14 % 7])
        number //= 98
    return "".join(syllables) + "k"


def _section(number: int, words: Sequence[str]) -> str:
    sentences = [
        " ".join(words[start : start + WORDS_A_SENTENCE])
        for start in range(0, len(words), WORDS_A_SENTENCE)
    ]
    return f"# Section {number}\n\n{'. '.join(sentences)}.\n"
