"""How facts and entities are named: ids as users see them, names as they are compared."""

import re
import unicodedata

from mcp_memory.text.spelling import spellings
from mcp_memory.text.stems import fold, without_accents
from mcp_memory.text.stopwords import STOP_WORDS
from mcp_memory.text.terms import lexemes

_ID = re.compile(r"([me]?)([0-9]{1,18})")
_MAX_SPELT_WORDS = 8
_QUOTES = "\"'`\u2018\u2019\u201c\u201d.,;:!?"


def fact_id(number: int) -> str:
    """A fact's id as it is shown; no chunk and no entity has one like it."""
    return f"m{number}"


def entity_id(number: int) -> str:
    """An entity's id as it is shown."""
    return f"e{number}"


def fact_number(text: str) -> int | None:
    """The number of a fact's id; None for what is no such id."""
    return _number("m", text)


def entity_number(text: str) -> int | None:
    """The number of an entity's id; None for what is no such id."""
    match = _ID.fullmatch(text.strip())
    return int(match[2]) if match and match[1] == "e" else None


def _number(kind: str, text: str) -> int | None:
    match = _ID.fullmatch(text.strip())
    return int(match[2]) if match and match[1] in (kind, "") else None


def normalize(name: str) -> str:
    """The name as it is compared: without case, accents, outer punctuation or double spaces."""
    words = unicodedata.normalize("NFKC", name).split()
    folded = [without_accents(fold(word.strip(_QUOTES))) for word in words]
    return " ".join(word for word in folded if word) or fold(name.strip())


def words_of(*names: str) -> list[str]:
    """What the names are near to others by: lexemes, words as they are written, and initials."""
    return sorted({word for name in names for word in _words_of(name)})


def _words_of(name: str) -> set[str]:
    words = normalize(name).split()
    return {*lexemes(name), *words, *initials(name)}


def initials(name: str) -> set[str]:
    """`nyt` and `tnyt` of The New York Times; a name of one word has none."""
    words = normalize(name).split()
    named = [word for word in words if word not in STOP_WORDS]
    return {"".join(word[0] for word in each) for each in (words, named) if len(each) > 1}


def typos_of(name: str) -> list[str]:
    """Every word that is a slip away from one of the name's first."""
    words = normalize(name).split()[:_MAX_SPELT_WORDS]
    return sorted({slip for word in words for slip in spellings(word)})
