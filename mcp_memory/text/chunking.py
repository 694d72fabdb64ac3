"""Documents to chunks that are found alone: cut at headings, packed from whole blocks.

Chunks never cross a section, and nothing is packed across one: an edit in one section leaves
the chunks of all others as they are. Sizes are estimates, the same on every machine.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from unicodedata import category

import regex

from mcp_memory.errors import InvalidInput
from mcp_memory.text.blocks import Block, Kind, front_matter_end, scan, scan_paragraphs, starts_item
from mcp_memory.text.tokens import TOKEN, weigh

SMALLEST_MAX_TOKENS = 16

# The second form is the full-width punctuation of Chinese and Japanese.
_SENTENCE_END = regex.compile(
    r"(?<=[.!?\u2026])[\"')\]\u00bb\u201d\u2019]*+\s++|(?<=[\u3002\uff01\uff1f\uff1b])"
)
_SPACED_WORD = regex.compile(r"\s*+\S++\s*+")
_FRONT_TITLE = regex.compile(r"title[ \t]*:[ \t]*(.*)", regex.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a document: lines `start_line` to `end_line`, 1-based and inclusive."""

    text: str
    heading: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True)
class _Section:
    heading: str
    blocks: list[Block]


@dataclass(frozen=True, slots=True)
class _Unit:
    """What packing does not cut: lines with their newlines, or a part of one long line."""

    text: str
    start: int
    end: int
    weight: int


def chunk_markdown(text: str, *, max_tokens: int = 200) -> list[Chunk]:
    """The chunks of a Markdown document; `heading` is the trail, such as `Guide > Setup`.

    Lists, tables and fences stay whole where they fit. Chunks do not overlap: each line is in
    one chunk, except a line too long for one, which is cut between sentences or words.
    """
    lines = split_lines(text)
    return _chunks(lines, _sections(scan(lines)), max_tokens)


def chunk_text(text: str, *, max_tokens: int = 200) -> list[Chunk]:
    """The chunks of a plain text, packed from paragraphs; nothing in it is a heading."""
    lines = split_lines(text)
    return _chunks(lines, [_Section("", list(scan_paragraphs(lines)))], max_tokens)


def document_title(text: str, path: str) -> str:
    """The title of the front matter, else the first heading, else the file's name."""
    lines = split_lines(text)
    for line in lines[1 : max(1, front_matter_end(lines) - 1)]:
        if (found := _FRONT_TITLE.fullmatch(line)) and (title := found[1].strip().strip("\"'")):
            return title[:200]
    headings = (block.title for block in scan(lines) if block.title)
    return next(headings, "") or PurePosixPath(path).name


def split_lines(text: str) -> list[str]:
    """The lines of a text: only a newline ends one, a carriage return before it belongs to it."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    return lines if lines[-1] else lines[:-1]


def split_long_line(line: str, limit: int) -> list[str]:
    """A line in parts that weigh `limit` at most: sentences, else words, else characters.

    Together they are the line; a part may be blank.
    """
    return list(_pack_parts(_sentences(line), limit))


def _chunks(lines: Sequence[str], sections: Iterable[_Section], max_tokens: int) -> list[Chunk]:
    if max_tokens < SMALLEST_MAX_TOKENS:
        raise InvalidInput("max_tokens", f"must be at least {SMALLEST_MAX_TOKENS}")
    limit = max_tokens * TOKEN
    return [
        _chunk(section.heading, units)
        for section in sections
        for units in _pack(_section_units(lines, section.blocks, limit), limit)
    ]


def _sections(blocks: Iterable[Block]) -> list[_Section]:
    """One section for each heading; a heading with nothing under it opens its first subsection."""
    sections: list[_Section] = []
    trail: list[Block] = []
    for block in blocks:
        if block.kind is Kind.HEADING:
            opened = _childless(sections, trail, block)
            trail = [above for above in trail if above.level < block.level] + [block]
            heading = " > ".join(part.title for part in trail if part.title)
            sections.append(_Section(heading, [*opened, block]))
        elif sections:
            sections[-1].blocks.append(block)
        else:
            sections.append(_Section("", [block]))
    return sections


def _childless(sections: list[_Section], trail: list[Block], heading: Block) -> list[Block]:
    if not trail or trail[-1].level >= heading.level:
        return []
    if any(block.kind is not Kind.HEADING for block in sections[-1].blocks):
        return []
    return sections.pop().blocks


def _section_units(lines: Sequence[str], blocks: list[Block], limit: int) -> Iterator[_Unit]:
    position = blocks[0].start if blocks else 0
    for block in blocks:
        for blank in range(position, block.start):
            yield _line_unit(lines, blank)
        yield from _block_units(lines, block, limit)
        position = block.end


def _block_units(lines: Sequence[str], block: Block, limit: int) -> Iterator[_Unit]:
    whole = _lines_unit(lines, block.start, block.end)
    if whole.weight <= limit:
        yield whole
    elif block.kind is Kind.LIST:
        for start, end in _items(lines, block):
            item = _lines_unit(lines, start, end)
            yield from [item] if item.weight <= limit else _split_lines(lines, start, end, limit)
    else:
        yield from _split_lines(lines, block.start, block.end, limit)


def _items(lines: Sequence[str], block: Block) -> Iterator[tuple[int, int]]:
    """The items of a list's outermost level."""
    indent = _indent(lines[block.start])
    starts = [
        position
        for position in range(block.start, block.end)
        if starts_item(lines[position]) and _indent(lines[position]) <= indent
    ]
    yield from zip(starts, [*starts[1:], block.end], strict=True)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _split_lines(lines: Sequence[str], start: int, end: int, limit: int) -> Iterator[_Unit]:
    for position in range(start, end):
        unit = _line_unit(lines, position)
        if unit.weight <= limit:
            yield unit
        else:
            parts = [part for part in split_long_line(lines[position], limit) if part.strip()]
            # The last one ends its line: what follows must not run into it.
            parts[-1:] = [f"{part}\n" for part in parts[-1:]]
            for part in parts:
                yield _Unit(part, position, position + 1, weigh(part))


def _line_unit(lines: Sequence[str], position: int) -> _Unit:
    return _lines_unit(lines, position, position + 1)


def _lines_unit(lines: Sequence[str], start: int, end: int) -> _Unit:
    text = "".join(f"{line}\n" for line in lines[start:end])
    return _Unit(text, start, end, weigh(text))


def _pack(units: Iterable[_Unit], limit: int) -> Iterator[list[_Unit]]:
    """Units in order, as many in each group as the limit allows, groups of blank lines left out."""
    group: list[_Unit] = []
    texts: list[str] = []
    weight = 0
    for unit in units:
        total = _together(texts, weight, unit.text, unit.weight)
        if total > limit and group:
            yield from _without_blank_edges(group)
            group, texts, total = [], [], unit.weight
        group.append(unit)
        texts.append(unit.text)
        weight = total
    yield from _without_blank_edges(group)


def _together(texts: Sequence[str], weight: int, text: str, own: int) -> int:
    """What the texts weigh with one more: the sum, unless a word or signs go on in it."""
    if texts and _goes_on(texts[-1], text):
        return weigh("".join(texts) + text)
    return weight + own


def _goes_on(before: str, after: str) -> bool:
    if not before or not after or before[-1].isspace() or after[0].isspace():
        return False
    return _is_of_word(before[-1]) == _is_of_word(after[0])


def _is_of_word(char: str) -> bool:
    """A letter, a digit, or a mark that belongs to one."""
    return category(char)[0] in "LNM"


def _without_blank_edges(group: list[_Unit]) -> Iterator[list[_Unit]]:
    full = [index for index, unit in enumerate(group) if unit.text.strip()]
    if full:
        yield group[full[0] : full[-1] + 1]


def _chunk(heading: str, units: list[_Unit]) -> Chunk:
    text = "".join(unit.text for unit in units).rstrip("\n")
    return Chunk(text, heading, units[0].start + 1, units[-1].end)


def _sentences(line: str) -> Iterator[str]:
    start = 0
    for boundary in _SENTENCE_END.finditer(line):
        yield line[start : boundary.end()]
        start = boundary.end()
    yield line[start:]


def _pack_parts(parts: Iterable[str], limit: int) -> Iterator[str]:
    group: list[str] = []
    weight = 0
    for part in (small for whole in parts for small in _small_parts(whole, limit)):
        own = weigh(part)
        total = _together(group, weight, part, own)
        if total > limit and group:
            yield "".join(group)
            group, total = [], own
        group.append(part)
        weight = total
    yield "".join(group)


def _small_parts(sentence: str, limit: int) -> Iterator[str]:
    if weigh(sentence) <= limit:
        yield sentence
    # In spaces alone the pattern would look for a word from each of them to the end.
    elif sentence.strip():
        for word in _SPACED_WORD.findall(sentence):
            yield from _slices(word, limit)


def _slices(word: str, limit: int) -> Iterator[str]:
    """A word without spaces in even slices, cut again where a slice is still too heavy."""
    weight = weigh(word)
    if weight <= limit or len(word) == 1:
        yield word
        return
    count = min(len(word), weight // limit + 1)
    step = -(-len(word) // count)
    for start in range(0, len(word), step):
        yield from _slices(word[start : start + step], limit)
