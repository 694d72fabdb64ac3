"""How memories and entities are named: ids as users see them, names as they are compared."""

import re
import unicodedata

from mcp_memory.text.stems import fold, without_accents
from mcp_memory.text.terms import lexemes

_ID = re.compile(r"([me]?)([0-9]{1,18})")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d.,;:!?"


def memory_id(number: int) -> str:
    """A memory's id as it is shown; no chunk and no entity has one like it."""
    return f"m{number}"


def entity_id(number: int) -> str:
    """An entity's id as it is shown."""
    return f"e{number}"


def memory_number(text: str) -> int | None:
    """The number of a memory's id; None for what is no such id."""
    return _number("m", text)


def entity_number(text: str) -> int | None:
    """The number of an entity's id; None for what is no such id."""
    match = _ID.fullmatch(text.strip())
    return int(match[2]) if match and match[1] == "e" else None


def _number(kind: str, text: str) -> int | None:
    match = _ID.fullmatch(text.strip())
    return int(match[2]) if match and match[1] in (kind, "") else None


def normal(name: str) -> str:
    """The name as it is compared: without case, accents, outer punctuation or double spaces."""
    words = unicodedata.normalize("NFKC", name).split()
    folded = [without_accents(fold(word.strip(_QUOTES))) for word in words]
    return " ".join(word for word in folded if word) or fold(name.strip())


def words_of(*names: str) -> list[str]:
    """The lexemes of the names; names that are near each other share some."""
    return sorted({lexeme for name in names for lexeme in lexemes(name)})
