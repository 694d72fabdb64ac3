"""Lexical analysis: the lexemes of a text and of a query, and PostgreSQL's literals for them.

PostgreSQL's own dictionaries are not used: servers differ in locale, and some do not even fold
Cyrillic. A text and a query go through the same analysis, so equal words give equal lexemes.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import blake2b
from string import ascii_lowercase
from typing import Literal

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


# ruff: noqa: RUF001 - words in other scripts are the point

_ENGLISH = """
a about above after again all am an and any are as at be because been before being below between
both but by can could did do does doing down during each few for from further had has have having
he her here hers herself him himself his how i if in into is it its itself just me more most my
myself of off on once only or other our ours ourselves out over own same she should so some such
than that the their theirs them themselves then there these they this those through to too under
until up upon us very was we were what when where which while who whom whose why will with would
you your yours yourself yourselves
"""
_FRENCH = (
    "au aux avec ce cette des du elle est et ils je la le les leur nous où quand que qui un une"
)
_GERMAN = (
    "auf das dem den der des ein eine einen einer es für ich ihr ist sie und von wann wie wir zu"
)
_SPANISH = "como cómo cuándo de del dónde el en la las los para por que qué quién un una unas y"
_ITALIAN = "che chi da della di dove gli il nel quando un una è"
_PORTUGUESE = "as da das do dos em na nas no nos o os quando que quem um uma é"
_RUSSIAN = """
а бы был была были было в вам вас вы где да для его ее ей если есть же за и из или их к как какая
какие какой когда который кто ли меня мне мы на нас о об он она они от по при с со так то тоже ты у
что чтобы это этот я
"""
_ARABIC = "أن أو أين إلى التي الذي على عن في كان كيف ما ماذا متى من هذا هذه هل هو هي و يا"
_CHINESE_AND_JAPANESE = (
    "什么 什麼 怎么 怎麼 我们 你们 他们 这个 那个 的 了 是 です ます した して すか"
)

STOP_WORDS = frozenset(
    " ".join(
        (
            _ENGLISH,
            _FRENCH,
            _GERMAN,
            _SPANISH,
            _ITALIAN,
            _PORTUGUESE,
            _RUSSIAN,
            _ARABIC,
            _CHINESE_AND_JAPANESE,
        )
    ).split()
) - {"no"}


LEXEME_BYTES = 200
TSVECTOR_BYTES = 1_000_000
TSQUERY_LEXEMES = 1_000

_LAST_POSITION = 16_383
_POSITIONS_PER_LEXEME = 255
_KEPT_PREFIX_BYTES = 180
_CACHED_LENGTH = 64
_MAX_PARTS_OF_A_WORD = 6

# Scripts written without spaces, and Hangul, whose spaces are not reliable.
_SPACELESS = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}\u30FC"
)
_LETTER = rf"[\p{{L}}\p{{N}}--[{_SPACELESS}]]"
_WORD = rf"{_LETTER}[\p{{L}}\p{{N}}\p{{M}}--[{_SPACELESS}]]*+"

_TOKEN = regex.compile(
    rf"""(?V1)
    [{_SPACELESS}]++
  | \p{{N}}{{1,3}}(?:,\p{{N}}{{3}}){{1,6}}+(?:\.\p{{N}}++)?+(?![\p{{L}}\p{{N}},])  # 1,000.50
  | (?:(?<![\p{{L}}\p{{N}}_])[#@.])?                              # #123 @ada .gitignore
    {_WORD}
    (?:(?:::|_++|[-./@:\\#'])(?={_LETTER}){_WORD})*+
    (?:(?:\+\+|\#)(?![\p{{L}}\p{{N}}]))?                          # C++ C#
  | \p{{RI}}{{2}}
  | \p{{Extended_Pictographic}}
    """,
    regex.VERBOSE,
)
_WORDS = regex.compile(r"[\p{L}\p{N}][\p{L}\p{N}\p{M}']*")
_SEGMENT_JOINT = regex.compile(r"[/@:\\#]+")
_PARTS = regex.compile(
    r"\p{N}+|\p{Lu}{2,}s(?!\p{Ll})|\p{Lu}+(?!\p{Ll})|\p{Lu}?[^\p{Lu}\p{N}]+|\p{Lu}"
)
_PLURAL_ACRONYM = regex.compile(r"\p{Lu}{2,}s")
_SPACELESS_START = regex.compile(rf"(?V1)[{_SPACELESS}]")
_HAN = regex.compile(r"\p{Han}")
_CONTRACTION = regex.compile(r"'(?:s|ll|re|ve|m|d)\Z")

# Unicode puts no limit on marks over one letter, and normalising many takes quadratic time.
_TOO_MANY_MARKS = regex.compile(r"(\p{M}{30})\p{M}++")
_INVISIBLE = regex.compile(r"[\p{Default_Ignorable_Code_Point}\p{Me}\u0640]++")
_VARIANTS = str.maketrans({"\u2019": "'", "\u02bc": "'", "\u2010": "-", "\u2011": "-"})


def lexemes(text: str) -> list[str]:
    """The lexemes of a text in reading order: stems, identifiers and their parts, with repeats."""
    return [lexeme for token in _tokens(text) for lexeme in _analyse(token)]


def index_lexemes(text: str) -> list[str]:
    """`lexemes` plus every single Han character, which is a word that a query may ask for alone."""
    lexemes: list[str] = []
    for token in _tokens(text):
        lexemes.extend(_analyse(token))
        if len(token) > 1 and not token.isascii() and _SPACELESS_START.match(token):
            lexemes.extend(_HAN.findall(token))
    return lexemes


def query_lexemes(query: str) -> list[str]:
    """The distinct lexemes to search by, in order; stop words only when there is nothing else.

    A word in capitals (`WHO`, `IT`) is no stop word, unless the whole query is in capitals.
    """
    tokens = _tokens(query)
    shouted = query.isupper()
    meaningful = [token for token in tokens if not _is_stop_word(token, shouted=shouted)]
    kept = dict.fromkeys(lexeme for token in meaningful for lexeme in _meaningful_lexemes(token))
    return list(kept or dict.fromkeys(lexeme for token in tokens for lexeme in _analyse(token)))


def tsvector(text: str, *, extra: Sequence[str] = ()) -> str:
    """A literal for `::tsvector`: the indexed lexemes of the text, and `extra` ones as they are.

    PostgreSQL refuses more than 1 MiB: lexemes are kept in order of first appearance, `extra`
    first, until about 1,000,000 bytes are used; a text that long should have been chunked.
    """
    entries: dict[str, list[int]] = {_shorten(lexeme): [] for lexeme in extra if lexeme}
    entries |= _positions(index_lexemes(text))
    return " ".join(_within_budget(entries))


def tsquery(lexemes: Iterable[str], operator: Literal["|", "&"] = "|") -> str:
    """A literal for `::tsquery` of at most 1,000 lexemes; of none, one that finds nothing."""
    quoted = [_quote(_shorten(lexeme)) for lexeme in lexemes if lexeme][:TSQUERY_LEXEMES]
    return f" {operator} ".join(quoted)


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(_normalise(text))


def _normalise(text: str) -> str:
    if text.isascii():
        return text
    bounded = _TOO_MANY_MARKS.sub(r"\1", _INVISIBLE.sub("", text))
    # Again, because some compatible characters stand for invisible ones.
    return _INVISIBLE.sub("", unicodedata.normalize("NFKC", bounded)).translate(_VARIANTS)


def _analyse(token: str) -> tuple[str, ...]:
    return _known(token) if len(token) <= _CACHED_LENGTH else _lexemes_of(token)


def _lexemes_of(token: str) -> tuple[str, ...]:
    if _SPACELESS_START.match(token):
        return _bigrams(fold(token))
    if "," in token:
        return _lexemes_of(token.replace(",", ""))
    words = _WORDS.findall(token)
    if not words:
        return (token,)
    if len(words) == 1 and words[0] == token:
        return _distinct(_word_lexemes(token))
    parts = (lexeme for word in words for lexeme in _word_lexemes(word))
    return _distinct((fold(token), *_segments(token), *parts))


_known = lru_cache(maxsize=32_768)(_lexemes_of)


def _segments(token: str) -> Iterator[str]:
    """`main.py` of `src/main.py`: what stands between the coarse joints, when joined itself."""
    segments = _SEGMENT_JOINT.split(token)
    if len(segments) > 1:
        yield from (fold(segment) for segment in segments if not segment.isalnum() and segment)


def _word_lexemes(word: str) -> Iterator[str]:
    """The stems of a word; of `camelCase` and `5mg` also the whole and the parts."""
    if "'" in word:
        yield from _apostrophe_lexemes(fold(word))
        return
    parts = _PARTS.findall(word) if not word.islower() or not word.isalpha() else [word]
    if len(parts) == 1:
        yield from stems(fold(word))
        if _PLURAL_ACRONYM.fullmatch(word):
            yield fold(word[:-1])
        return
    yield fold(word)
    yield from stems(fold(word))
    if len(parts) <= _MAX_PARTS_OF_A_WORD:
        for part in parts:
            yield from stems(fold(part))


def _apostrophe_lexemes(word: str) -> Iterator[str]:
    """`caroline's` is `caroline`, `don't` is `dont`; `l'homme` is `lhomme`, `l` and `homme`."""
    base = _CONTRACTION.sub("", word).strip("'")
    yield from stems(base.replace("'", ""))
    parts = [part for part in base.split("'") if part]
    if len(parts) > 1 and not base.endswith("n't"):
        for part in parts:
            yield from stems(part)


def _bigrams(run: str) -> tuple[str, ...]:
    if len(run) == 1:
        return (run,)
    return tuple(run[index : index + 2] for index in range(len(run) - 1))


def _distinct(lexemes: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_shorten(lexeme) for lexeme in lexemes if lexeme))


def _shorten(lexeme: str) -> str:
    """A lexeme that PostgreSQL can hold: a long one is a prefix and a hash of the whole."""
    if len(lexeme) <= LEXEME_BYTES // 4 and "\0" not in lexeme:
        return lexeme
    lexeme = lexeme.replace("\0", "\ufffd")
    encoded = lexeme.encode()
    if len(encoded) <= LEXEME_BYTES:
        return lexeme
    prefix = encoded[:_KEPT_PREFIX_BYTES].decode(errors="ignore")
    return f"{prefix}~{blake2b(encoded, digest_size=8).hexdigest()}"


def _is_stop_word(token: str, *, shouted: bool) -> bool:
    if len(token) > 1 and token.isupper() and not shouted:
        return False
    return _CONTRACTION.sub("", fold(token)) in STOP_WORDS


def _meaningful_lexemes(token: str) -> Iterator[str]:
    lexemes = _analyse(token)
    yield from lexemes[:1] if len(lexemes) == 1 else (x for x in lexemes if x not in STOP_WORDS)


def _positions(lexemes: Iterable[str]) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for index, lexeme in enumerate(lexemes, start=1):
        seen = positions.setdefault(lexeme, [])
        if not seen or (index <= _LAST_POSITION and len(seen) < _POSITIONS_PER_LEXEME):
            seen.append(min(index, _LAST_POSITION))
    return positions


def _within_budget(entries: dict[str, list[int]]) -> Iterator[str]:
    used = 0
    for lexeme, positions in entries.items():
        used += len(lexeme.encode()) + 2 * len(positions) + 8
        if used > TSVECTOR_BYTES:
            return
        places = ",".join(map(str, positions))
        yield f"{_quote(lexeme)}:{places}" if places else _quote(lexeme)


def _quote(lexeme: str) -> str:
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


# Shorter words have too many neighbours that are words themselves.
_MIN_WORD_CHARS = 5
_MAX_WORD_CHARS = 24


def spellings(word: str) -> list[str]:
    """Every string one slip away; none of a word that is short, or of other signs than a to z.

    Identifiers and numbers are never anything but themselves.
    """
    if not (_MIN_WORD_CHARS <= len(word) <= _MAX_WORD_CHARS and word.isascii() and word.isalpha()):
        return []
    halves = [(word[:cut], word[cut:]) for cut in range(len(word) + 1)]
    left_out = [head + tail[1:] for head, tail in halves if tail]
    exchanged = [head + tail[1] + tail[0] + tail[2:] for head, tail in halves if len(tail) > 1]
    changed = [
        head + letter + tail[1:] for head, tail in halves if tail for letter in ascii_lowercase
    ]
    added = [head + letter + tail for head, tail in halves for letter in ascii_lowercase]
    return sorted({*left_out, *exchanged, *changed, *added} - {word})


# What stands around a name without being part of it.
_QUOTES = "\"'`\u2018\u2019\u201c\u201d.,;:!?"


def normalize(name: str) -> str:
    """The name as it is compared: without case, accents, outer punctuation or double spaces."""
    words = unicodedata.normalize("NFKC", name).split()
    folded = [without_accents(fold(word.strip(_QUOTES))) for word in words]
    return " ".join(word for word in folded if word) or fold(name.strip())


_UNSTORABLE = regex.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether the text is free of NUL and of halves of surrogate pairs.

    Arguments of a command line and names of files hold such halves where they are not UTF-8.
    """
    return _UNSTORABLE.search(text) is None
