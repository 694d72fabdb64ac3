"""One word to the forms it is indexed under: its stem, and the stem without accents."""

import unicodedata
from functools import lru_cache

import regex
import Stemmer

# The first word of a letter's Unicode name is its script.
_ALGORITHMS = {
    "LATIN": "english",
    "CYRILLIC": "russian",
    "GREEK": "greek",
    "ARABIC": "arabic",
    "ARMENIAN": "armenian",
    "DEVANAGARI": "hindi",
    "TAMIL": "tamil",
}
_MAX_STEMMED_CHARS = 64

_ACCENT = regex.compile(r"\p{Mn}+")
_STRESS = regex.compile("[\u0300\u0301]+")
_LETTERS_WITH_STROKE = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "\u0131": "i"}
)
_ACCENTED_SCRIPTS = frozenset({"LATIN", "GREEK", "ARABIC", "HEBREW"})


def fold(text: str) -> str:
    """The text without differences of case and of compatible characters."""
    folded = text.casefold()
    return folded if folded.isascii() else unicodedata.normalize("NFKC", folded)


def stems(word: str) -> tuple[str, ...]:
    """The stem of a folded word, then that of the word without accents if it differs."""
    return _known_stems(word) if len(word) <= _MAX_STEMMED_CHARS else _stems(word)


def _stems(word: str) -> tuple[str, ...]:
    stem = _stem(word)
    if word.isascii():
        return (stem,)
    plain = _stem(without_accents(word))
    return (stem,) if plain == stem or not plain else (stem, plain)


_known_stems = lru_cache(maxsize=32_768)(_stems)


def without_accents(word: str) -> str:
    """The word as people type it in a hurry; marks that make another letter stay."""
    script = _script(word)
    if script == "CYRILLIC":
        return unicodedata.normalize("NFC", _STRESS.sub("", word)).replace("\u0451", "\u0435")
    if script not in _ACCENTED_SCRIPTS:
        return word
    bare = _ACCENT.sub("", unicodedata.normalize("NFD", word))
    return unicodedata.normalize("NFC", bare).translate(_LETTERS_WITH_STROKE)


def _stem(word: str) -> str:
    algorithm = _ALGORITHMS.get(_script(word))
    if algorithm is None or len(word) > _MAX_STEMMED_CHARS:
        return word
    # A stemmer is not safe to share between threads; a new one costs less than a lock.
    return Stemmer.Stemmer(algorithm, 0).stemWord(word) or word


def _script(word: str) -> str:
    return unicodedata.name(word[:1], "").partition(" ")[0] if word else ""
