"""Spellings one slip away from a word: a letter changed, left out, doubled, or two exchanged."""

from string import ascii_lowercase

# Shorter words have too many neighbours that are words themselves.
_MIN_WORD_CHARS = 5
_MAX_WORD_CHARS = 24


def spellings(word: str) -> list[str]:
    """Every string one slip away; none of a word that is short, or of other signs than a to z.

    Identifiers and numbers are never anything but themselves.
    """
    if not (_MIN_WORD_CHARS <= len(word) <= _MAX_WORD_CHARS and word.isascii() and word.isalpha()):
        return []
    halves = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    left_out = [head + tail[1:] for head, tail in halves if tail]
    exchanged = [head + tail[1] + tail[0] + tail[2:] for head, tail in halves if len(tail) > 1]
    changed = [
        head + letter + tail[1:] for head, tail in halves if tail for letter in ascii_lowercase
    ]
    added = [head + letter + tail for head, tail in halves for letter in ascii_lowercase]
    return sorted({*left_out, *exchanged, *changed, *added} - {word})
