"""How fifteen languages say times, and which of them a text may be in.

The names and phrases are dateparser's, written to `time_words.json` by `lab/date_words.py`; the
small words beside them, and those by which a language is known, are ours.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TypedDict, cast

from mcp_memory.text.terms import fold

FILE = Path(__file__).with_name("time_words.json")
# Written without spaces, or with words that grow at their ends.
SPACELESS = ("zh", "ja", "ko")
NUMBER = "#"

Meaning = tuple[str, int]
Phrase = tuple[tuple[str, ...], Meaning]
SetPhrase = tuple[tuple[str, bool], ...]
# A word or number, folded, with where it begins and ends.
Token = tuple[str, int, int]

_GAP = re.compile(r"[ \t]{0,2}[.,]?[ \t]{0,2}")
_TOKEN = re.compile(r"#|\d+|[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What may stand between a day, its month and its year, or after a day's number.
ORDINALS = _words("st nd rd th er º de of di del the")
# What makes a bare month or year a time: `may` is a verb too.
IN = _words("in im since until by during of seit bis en depuis desde em nel w в до")
# Months that are other words as well: a bare one counts only when it is written like a name.
WORDS_TOO = _words("may march")
# Beside a weekday or a month: the one before.
LAST = _words(
    "last past previous letzte letzten letzter letztes letztem vorige vorigen dernier "
    "derniere passe passee pasado pasada ultimo ultima scorso scorsa passado passada "
    "afgelopen vorig zeszly zeszla zesztym ostatni ostatnia forra gecen прошлый прошлая "
    "прошлое прошлую прошлом минулий минула минулу минулого"
)
# Beside a weekday or a month: the one after.
NEXT = _words(
    "next coming nachste nachsten nachster nachstes kommende kommenden prochain prochaine "
    "proximo proxima prossimo prossima volgende przyszly nastepny nasta gelecek следующий "
    "следующая следующую следующее следующем наступний наступна наступну"
)
# Between two times: all of what lies between them.
TO = _words("to until till through bis a à au al hasta ate até tot do до по")
# The same, after `between`.
AND = _words("and und et y e i и")
BETWEEN = _words("between zwischen entre tra miedzy между")
# What may stand before a time and says nothing.
SMALL = _words("the le el dem la")

# Set phrases of any language: the word with a star is no time there, whatever it is elsewhere.
# `Till date` is "so far", `la mañana` the morning, and Good Friday mostly not the last Friday.
_SET_PHRASES = (
    "till* date, once in* a, twice in* a, times in* a, here today* gone tomorrow*, "
    "black friday*, good friday*, man friday*, cyber monday*, super tuesday*, shrove tuesday*, "
    "ash wednesday*, maundy thursday*, palm sunday*, sunday* school, sunday* best, "
    "am morgen*, heute morgen*, gestern morgen*, guten morgen*, jeden morgen*, diesen morgen*, "
    "der morgen*, den morgen*, nächsten morgen*, goede morgen*, goede vrijdag*, witte donderdag*, "
    "jeudi* saint, vendredi* saint, mercredi* des cendres, "
    "la mañana*, esta mañana*, cada mañana*, jueves* santo, viernes* santo, viernes* negro, "
    "miércoles* de ceniza, domingo* de ramos, giovedì* santo, venerdì* santo, "
    "mercoledì* delle ceneri, sexta-feira* santa, quarta-feira* de cinzas, "
    "segunda* vez, segunda* parte, segunda* mão, terça* parte, quarta* parte, quinta* parte"
)

# Words that hardly a sentence of the language does without, and few sentences of another have.
_COMMON = {
    "en": "the and of to is was we you did what when in on i my a for it",
    "de": "der die das und ist nicht ich wir ein eine mit war am im",
    "fr": "le la les et est une des nous je du dans pas que",
    "es": "el la los las y es una que de en no con por",
    "it": "il la gli e è una che di non per con sono",
    "pt": "o a os as e é uma que de não com para em",
    "nl": "de het een en is niet ik wij we van op met",
    "pl": "i w na nie to jest się z do co jak",
    "sv": "och det är en ett inte jag vi på som med",
    "tr": "ve bir bu ne için ile mi da de çok",
}
_OF_COMMON = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_SCRIPTS = (
    (re.compile(r"[\u0400-\u04ff]"), ("ru", "uk")),
    (re.compile(r"[\u3040-\u30ff]"), ("ja",)),
    (re.compile(r"[\u4e00-\u9fff]"), ("zh", "ja")),
    (re.compile(r"[\uac00-\ud7af]"), ("ko",)),
)
# So few words may hold none of the commonest: then any language is possible.
_SHORT_TEXT_WORDS = 12


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


@cache
def _set_phrases() -> Mapping[str, list[SetPhrase]]:
    """By their first word; each word with whether it is a time elsewhere, and none there."""
    by_first: dict[str, list[SetPhrase]] = {}
    for text in _SET_PHRASES.split(", "):
        words = tuple((fold(word.rstrip("*")), word.endswith("*")) for word in text.split())
        by_first.setdefault(words[0][0], []).append(words)
    return by_first


def tokens_of(text: str) -> list[Token]:
    """Its words and numbers, folded, each with where it begins and ends."""
    return [(fold(match[0]), *match.span()) for match in _TOKEN.finditer(text)]


def adjoins(text: str, tokens: Sequence[Token], index: int) -> bool:
    """Whether nothing but a space or a point stands before this word."""
    if not 0 < index < len(tokens):
        return False
    return _GAP.fullmatch(text[tokens[index - 1][2] : tokens[index][1]]) is not None


def timeless_words(text: str, tokens: Sequence[Token]) -> Iterator[int]:
    """The places of time words in set phrases that make them none: `till date`."""
    for index, (first, _, _) in enumerate(tokens):
        for words in _set_phrases().get(first, ()):
            said = [word for word, _, _ in tokens[index : index + len(words)]]
            is_there = said == [word for word, _ in words] and all(
                adjoins(text, tokens, index + n) for n in range(1, len(words))
            )
            if is_there:
                yield from (index + n for n, (_, is_none) in enumerate(words) if is_none)


def detect_languages(words: set[str]) -> list[str]:
    """The languages of whose commonest words the text holds any; `words` are its own, folded."""
    return [language for language, common in _OF_COMMON.items() if words & common]


def likely_languages(text: str, words: set[str]) -> list[str]:
    """The languages worth a look, the commonest first; `words` are those of the text, folded."""
    found = detect_languages(words)
    if len(words) <= _SHORT_TEXT_WORDS:
        found = list(_OF_COMMON)
    if not text.isascii():
        found += [each for script, its in _SCRIPTS if script.search(text) for each in its]
    return list(dict.fromkeys(found))
