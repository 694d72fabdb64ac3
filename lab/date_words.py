"""Write `mcp_memory/text/time_words.json`: how fifteen languages say times, from dateparser.

    python -m lab.date_words        # needs dateparser (1.5.0), which nothing else does

dateparser (https://github.com/scrapinghub/dateparser) keeps, per language, what months, weekdays
and relative times are called. Its own search tries every reading of every word, which costs
hundreds of milliseconds a page and sees dates everywhere; so only its words are taken, folded as
texts are. Its licence stands beside the file.
"""

import importlib
import json
import re
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import cast

from mcp_memory.text.terms import fold
from mcp_memory.text.time_words import FILE, NUMBER, tokens_of

LANGUAGES = [
    *("de", "en", "es", "fr", "it", "ja", "ko", "nl"),
    *("pl", "pt", "ru", "sv", "tr", "uk", "zh"),
]

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

Table = Mapping[str, object]
Phrase = tuple[str, str, int]


def main() -> None:
    """Write the file anew, a line for each part of each language, so that a change can be read."""
    lines = [f'"{language}": {{\n{_parts(_table(language), language)}}}' for language in LANGUAGES]
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    print(f"{FILE.relative_to(Path.cwd())}: {FILE.stat().st_size:,} bytes")


def _table(language: str) -> Table:
    module = importlib.import_module(f"dateparser.data.date_translation_data.{language}")
    return cast("Table", module.info)


def _parts(table: Table, language: str) -> str:
    parts: dict[str, object] = {
        "months": dict(_names(table, _MONTHS, language)),
        "weekdays": dict(_names(table, _WEEKDAYS, language)),
        "numbers": dict(_numbers(table, language)),
        "phrases": sorted(_phrases(table), key=lambda phrase: -len(phrase[0].split())),
    }
    texts = {name: json.dumps(part, ensure_ascii=False) for name, part in parts.items()}
    return ",\n".join(f'  "{name}": {text}' for name, text in texts.items())


def _names(table: Table, keys: tuple[str, ...], language: str) -> Iterator[tuple[str, int]]:
    kept = _SHORT_ENGLISH if language == "en" else _SHORT_MONTHS
    kept = kept if keys is _MONTHS else frozenset[str]()
    for number, key in enumerate(keys):
        for name in map(fold, cast("list[str]", table.get(key, []))):
            if len(name) >= _SHORTEST_NAME or name in kept or not name.isascii():
                yield name, number


def _numbers(table: Table, language: str) -> Iterator[tuple[str, int]]:
    """`two`: 2; where the endings stand in brackets, each form."""
    counts = _COUNTS.get(language, "").split()
    yield from ((fold(word), number) for number, word in enumerate(counts, start=2))
    for entry in cast("list[dict[str, str]]", table.get("simplifications", [])):
        for words, number in entry.items():
            match = _NUMBER_WORD.fullmatch(words)
            if match and number.isdigit():
                for ending in (match["endings"] or "").split("|"):
                    yield fold(match["stem"] + ending), int(number)


def _phrases(table: Table) -> Iterator[Phrase]:
    """`yesterday`: a day, -1. `# weeks ago`: a week, -1. What is over in a day is left out."""
    exact = cast("Mapping[str, list[str]]", table.get("relative-type", {}))
    counted = cast("Mapping[str, list[str]]", table.get("relative-type-regex", {}))
    for name, patterns in chain(exact.items(), counted.items()):
        meaning = _MEANING.fullmatch(name)
        for pattern in patterns if meaning else ():
            words = [word for word, _, _ in tokens_of(re.sub(r"\(.*?\)", NUMBER, pattern))]
            if meaning and len("".join(words)) > 1 and "\\s" not in pattern:
                amount = 1 if meaning["amount"] == "\\1" else int(meaning["amount"])
                yield " ".join(words), meaning["unit"], amount if meaning["ahead"] else -amount


if __name__ == "__main__":
    main()
