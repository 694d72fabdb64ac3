"""Markdown as a flat list of blocks: headings, fences, lists, paragraphs, front matter.

A scanner of lines, not a parser: it needs only where blocks begin and end. It differs from
CommonMark in two ways that agents' notes ask for: a setext heading has one line of text, and a
fence may be indented as deep as the list item it stands in.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto

import regex

_ATX = regex.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*))?")
_SETEXT = regex.compile(r" {0,3}(=++|-++)[ \t]*+")
_FENCE = regex.compile(r"[ \t]*+(`{3,}+(?=[^`]*$)|~{3,}+)")
_RULE = regex.compile(r" {0,3}([-*_])(?:[ \t]*+\1){2,}+[ \t]*+")
_ITEM = regex.compile(r"[ \t]*+(?:[-*+]|\d{1,9}[.)])(?:[ \t]|$)")
_TITLE_CHARACTERS = 200


class Kind(Enum):
    """What a block is, as far as splitting it must know."""

    FRONT_MATTER = auto()
    HEADING = auto()
    FENCE = auto()
    LIST = auto()
    TEXT = auto()


@dataclass(frozen=True, slots=True)
class Block:
    """The lines from `start` up to `end`, 0-based; `level` and `title` are a heading's."""

    kind: Kind
    start: int
    end: int
    level: int = 0
    title: str = ""


def scan(lines: Sequence[str]) -> Iterator[Block]:
    """The blocks of a document, in order; lines between them are blank."""
    position = front_matter_end(lines)
    if position:
        yield Block(Kind.FRONT_MATTER, 0, position)
    while position < len(lines):
        if lines[position].strip():
            block = _block_at(lines, position)
            yield block
            position = block.end
        else:
            position += 1


def scan_paragraphs(lines: Sequence[str]) -> Iterator[Block]:
    """The paragraphs of a plain text: what blank lines separate."""
    start = 0
    for position, line in enumerate((*lines, "")):
        if not line.strip():
            if position > start:
                yield Block(Kind.TEXT, start, position)
            start = position + 1


def front_matter_end(lines: Sequence[str]) -> int:
    """The line after the front matter; 0 when there is none."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    for position in range(1, len(lines)):
        if lines[position].rstrip() in ("---", "..."):
            return position + 1
    return 0


def starts_item(line: str) -> bool:
    """Whether a line begins an item of a list."""
    return bool(_ITEM.match(line)) and not _RULE.fullmatch(line)


def _block_at(lines: Sequence[str], start: int) -> Block:
    line = lines[start]
    if atx := _ATX.fullmatch(line):
        return Block(Kind.HEADING, start, start + 1, len(atx[1]), _title(atx[2] or ""))
    if _FENCE.match(line):
        return Block(Kind.FENCE, start, _fence_end(lines, start))
    if starts_item(line):
        return Block(Kind.LIST, start, _list_end(lines, start))
    if start + 1 < len(lines) and (setext := _SETEXT.fullmatch(lines[start + 1])):
        level = 1 if setext[1][0] == "=" else 2
        return Block(Kind.HEADING, start, start + 2, level, _title(line))
    return Block(Kind.TEXT, start, _paragraph_end(lines, start))


def _title(text: str) -> str:
    bare = text.strip()
    unclosed = bare.rstrip("#")
    if unclosed != bare and (not unclosed or unclosed[-1] in " \t"):
        bare = unclosed.rstrip()
    return bare[:_TITLE_CHARACTERS]


def _fence_end(lines: Sequence[str], start: int) -> int:
    opening = _FENCE.match(lines[start])
    mark = opening[1] if opening else "```"
    for position in range(start + 1, len(lines)):
        line = lines[position].strip()
        if line.startswith(mark) and not line.strip(mark[0]):
            return position + 1
    end = len(lines)
    while not lines[end - 1].strip():
        end -= 1
    return end


def _list_end(lines: Sequence[str], start: int) -> int:
    """Items, what is indented under them, and blank lines between the two."""
    end = position = start + 1
    while position < len(lines):
        line = lines[position]
        after_blank = position > end
        if not line.strip():
            position += 1
        elif _ends_list(line, after_blank=after_blank):
            break
        else:
            position = end = _fence_end(lines, position) if _FENCE.match(line) else position + 1
    return end


def _ends_list(line: str, *, after_blank: bool) -> bool:
    if starts_item(line) or line.startswith(("  ", "\t")):
        return False
    return after_blank or bool(_ATX.fullmatch(line) or _FENCE.match(line) or _RULE.fullmatch(line))


def _paragraph_end(lines: Sequence[str], start: int) -> int:
    for position in range(start + 1, len(lines)):
        line = lines[position]
        if not line.strip() or _ATX.fullmatch(line) or _FENCE.match(line):
            return position
        if starts_item(line) and not line[0].isdigit():
            return position
    return len(lines)
