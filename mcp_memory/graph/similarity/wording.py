"""Whether two texts may say the same: numbers and negation never agree by being near; pure."""

import re

from mcp_memory.text.terms import query_lexemes

_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_COUNTING = "zero one two three four five six seven eight nine ten eleven twelve"
_NUMBER_WORDS = {word: str(value) for value, word in enumerate(re.split(" ", _COUNTING))}
_WORD = re.compile(r"[^\W\d_]+")
_DENIES = re.compile(
    r"""
    \b(?:no|not|never|none|nobody|nothing|neither|nor|without|cannot)\b
  | \b\w+n['\u2019]t\b
  | \b(?:dislike|hate|avoid|refuse)[sd]?\b | \bstopped\b | \bquit\b
  | \b(?:не|нет|никогда|без)\b | \b(?:nicht|keine?[nmrs]?|nie)\b | \b(?:ne|pas|jamais|sans)\b
  | \b(?:nunca|sin|senza)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)


def may_mean_the_same(one: str, other: str) -> bool:
    """False where the numbers differ ("5 mg", "50 mg") or only one of the texts denies."""
    numbers, others = _numbers(one), _numbers(other)
    if numbers and others and numbers != others:
        return False
    return _denies(one) == _denies(other)


def overlap(one: str, other: str) -> float:
    """The share of all their words that both texts have, 0 to 1 (Jaccard)."""
    words, others = set(query_lexemes(one)), set(query_lexemes(other))
    return len(words & others) / len(words | others) if words or others else 0.0


def _numbers(text: str) -> set[str]:
    words = (word.lower() for word in _WORD.findall(text))
    digits = {number.rstrip(".,").replace(",", "") for number in _NUMBER.findall(text)}
    return digits | {_NUMBER_WORDS[word] for word in words if word in _NUMBER_WORDS}


def _denies(text: str) -> bool:
    return _DENIES.search(text) is not None
