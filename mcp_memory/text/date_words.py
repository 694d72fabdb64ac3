"""The words for times in several languages: dateparser's vocabulary, ready to be looked up.

dateparser (https://github.com/scrapinghub/dateparser) keeps, per language, what months, weekdays
and relative times are called. Its own search tries every reading of every word, which costs
hundreds of milliseconds a page and sees dates everywhere; so only its words are taken here.
"""

import importlib.util
import re
import runpy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import cast

from mcp_memory.text.stems import fold

# Written without spaces, or with words that grow at their ends.
SPACELESS = ("zh", "ja", "ko")
NUMBER = "#"

Meaning = tuple[str, int]
Phrase = tuple[tuple[str, ...], Meaning]

_TOKEN = re.compile(r"#|\d+|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MEANING = re.compile(r"(?P<ahead>in )?(?P<amount>\d+|\\1) (?P<unit>day|week|month|year)(?: ago)?")
# Shorter names are words of other languages too: `die`, `so`, `mar`, `set`.
_SHORTEST_NAME = 4
_SHORT_ENGLISH = frozenset(name[:3] for name in _MONTHS)
# Whole names, and short all the same.
_SHORT_MONTHS = frozenset({"mai"})
# Where dateparser has no words for numbers: two to ten.
_COUNTS = {
    "es": "dos tres cuatro cinco seis siete ocho nueve diez",
    "it": "due tre quattro cinque sei sette otto nove dieci",
    "pt": "duas três quatro cinco seis sete oito nove dez",
    "nl": "twee drie vier vijf zes zeven acht negen tien",
    "sv": "två tre fyra fem sex sju åtta nio tio",
}
_NUMBER_WORD = re.compile(r"(?P<stem>[^\W\d_]+)(?:\((?P<endings>[^\W\d_|]+(?:\|[^\W\d_]+)*)\))?")


@dataclass(frozen=True, slots=True)
class DateWords:
    """How one language says times; every word is folded.

    `months` and `weekdays` are numbered from 0. `phrases` have their meaning: a unit, and how many
    of it lie between then and now; in a counted one `#` stands for the number, and the meaning
    says which way.
    """

    months: Mapping[str, int]
    weekdays: Mapping[str, int]
    numbers: Mapping[str, int]
    phrases: Mapping[str, list[Phrase]]
    vocabulary: frozenset[str]


@cache
def date_words(language: str) -> DateWords:
    """The words of a language; read once, at the first text that may need them."""
    info = _table(language)
    months = dict(_names(info, _MONTHS, language))
    weekdays = dict(_names(info, _WEEKDAYS, language))
    phrases: dict[str, list[Phrase]] = {}
    for words, meaning in sorted(_phrases(info), key=lambda each: -len(each[0])):
        for start in {words[0], NUMBER} if words[0] == NUMBER else {words[0]}:
            phrases.setdefault(start, []).append((words, meaning))
    said = (words for found in phrases.values() for words, _ in found)
    spoken = {word for words in said for word in words if word != NUMBER}
    vocabulary = frozenset(chain(months, weekdays, (word for word in spoken if len(word) > 2)))
    return DateWords(months, weekdays, dict(_numbers(info, language)), phrases, vocabulary)


def tokens_of(text: str) -> list[tuple[str, int, int]]:
    """Its words and numbers, folded, each with its place."""
    return [(fold(match[0]), *match.span()) for match in _TOKEN.finditer(text)]


def _table(language: str) -> Mapping[str, object]:
    """dateparser's table, without its parser, which takes a tenth of a second to import."""
    package = importlib.util.find_spec("dateparser")
    assert package is not None and package.origin is not None
    folder = Path(package.origin).parent / "data" / "date_translation_data"
    return cast("Mapping[str, object]", runpy.run_path(str(folder / f"{language}.py"))["info"])


def _names(
    info: Mapping[str, object], keys: tuple[str, ...], language: str
) -> Iterator[tuple[str, int]]:
    kept = _SHORT_ENGLISH if language == "en" else _SHORT_MONTHS
    kept = kept if keys is _MONTHS else frozenset[str]()
    for number, key in enumerate(keys):
        for name in cast("list[str]", info.get(key, [])):
            folded = fold(name)
            if len(folded) >= _SHORTEST_NAME or folded in kept or not folded.isascii():
                yield folded, number


def _numbers(info: Mapping[str, object], language: str) -> Iterator[tuple[str, int]]:
    """`two`: 2; where the endings stand in brackets, each form."""
    counts = _COUNTS.get(language, "").split()
    yield from ((fold(word), number) for number, word in enumerate(counts, start=2))
    for entry in cast("list[dict[str, str]]", info.get("simplifications", [])):
        for said, number in entry.items():
            match = _NUMBER_WORD.fullmatch(said)
            if match and number.isdigit():
                for ending in (match["endings"] or "").split("|"):
                    yield fold(match["stem"] + ending), int(number)


def _phrases(info: Mapping[str, object]) -> Iterator[Phrase]:
    """`yesterday`: a day, -1. `# weeks ago`: a week, -1. What is over in a day is left out."""
    exact = cast("Mapping[str, list[str]]", info.get("relative-type", {}))
    counted = cast("Mapping[str, list[str]]", info.get("relative-type-regex", {}))
    for meant, said in chain(exact.items(), counted.items()):
        meaning = _MEANING.fullmatch(meant)
        for way in said if meaning else ():
            words = tuple(word for word, _, _ in tokens_of(re.sub(r"\(.*?\)", NUMBER, way)))
            if meaning and len("".join(words)) > 1 and "\\s" not in way:
                amount = 1 if meaning["amount"] == "\\1" else int(meaning["amount"])
                yield words, (meaning["unit"], amount if meaning["ahead"] else -amount)
