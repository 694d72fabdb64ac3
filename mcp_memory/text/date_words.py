"""The words for times in several languages, ready to be looked up.

They are dateparser's; `lab/date_words.py` writes them to `date_words.json`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TypedDict, cast

from mcp_memory.text.stems import fold

FILE = Path(__file__).with_name("date_words.json")
# Written without spaces, or with words that grow at their ends.
SPACELESS = ("zh", "ja", "ko")
NUMBER = "#"

Meaning = tuple[str, int]
Phrase = tuple[tuple[str, ...], Meaning]

_TOKEN = re.compile(r"#|\d+|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


@dataclass(frozen=True, slots=True)
class DateWords:
    """How one language says times; every word is folded.

    `months` and `weekdays` are numbered from 0. `phrases` have their meaning: a unit, and how many
    of it lie between then and now; in a counted one `#` stands for the number, and the meaning
    says which way. They are listed by their first word, the longest first.
    """

    months: Mapping[str, int]
    weekdays: Mapping[str, int]
    numbers: Mapping[str, int]
    phrases: Mapping[str, list[Phrase]]
    vocabulary: frozenset[str]


class _Table(TypedDict):
    """One language in the file; the words of a phrase stand in one text."""

    months: dict[str, int]
    weekdays: dict[str, int]
    numbers: dict[str, int]
    phrases: list[tuple[str, str, int]]


@cache
def _tables() -> dict[str, _Table]:
    """Read once, at the first text that may need them."""
    return cast("dict[str, _Table]", json.loads(FILE.read_bytes()))


@cache
def date_words(language: str) -> DateWords:
    """The words of a language."""
    table = _tables()[language]
    phrases: dict[str, list[Phrase]] = {}
    for text, unit, amount in table["phrases"]:
        words = tuple(text.split())
        phrases.setdefault(words[0], []).append((words, (unit, amount)))
    spoken = (word for text, _, _ in table["phrases"] for word in text.split() if len(word) > 2)
    vocabulary = frozenset(chain(table["months"], table["weekdays"], spoken))
    return DateWords(table["months"], table["weekdays"], table["numbers"], phrases, vocabulary)


def tokens_of(text: str) -> list[tuple[str, int, int]]:
    """Its words and numbers, folded, each with where it begins and ends."""
    return [(fold(match[0]), *match.span()) for match in _TOKEN.finditer(text)]
