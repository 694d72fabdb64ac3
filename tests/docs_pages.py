"""The project's Markdown pages as tests read them: headings, links, code."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).parents[1]

_FENCED = re.compile(r"^```(\w*)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading, its level from 1, and the anchor that GitHub gives it."""

    level: int
    title: str

    @property
    def anchor(self) -> str:
        """What links to the heading write after `#`."""
        return _NOT_IN_ANCHOR.sub("", self.title.lower()).replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Link:
    """A link's text and where it leads, as written."""

    text: str
    target: str


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file."""

    path: Path
    text: str

    @property
    def name(self) -> str:
        """The path from the root of the repository."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def prose(self) -> str:
        """The text without its code blocks."""
        return _FENCED.sub("", self.text)

    def headings(self) -> list[Heading]:
        """Every heading, in order."""
        pairs = cast("list[tuple[str, str]]", _HEADING.findall(self.prose))
        return [Heading(len(marks), title) for marks, title in pairs]

    def links(self) -> list[Link]:
        """Every link, in order."""
        pairs = cast("list[tuple[str, str]]", _LINK.findall(self.prose))
        return [Link(text, target) for text, target in pairs]

    def blocks(self, language: str) -> list[str]:
        """The code blocks in a language."""
        pairs = cast("list[tuple[str, str]]", _FENCED.findall(self.text))
        return [code for marked, code in pairs if marked == language]

    def code(self) -> Iterator[str]:
        """Every code span, and every line of every code block, without a prompt."""
        yield from cast("list[str]", _CODE_SPAN.findall(self.prose))
        for _, block in cast("list[tuple[str, str]]", _FENCED.findall(self.text)):
            yield from (line.removeprefix("$ ") for line in block.splitlines())


def page(name: str) -> Page:
    """The page at a path from the root of the repository."""
    return Page(ROOT / name, (ROOT / name).read_text("utf-8"))


def pages() -> list[Page]:
    """The README, the changelog and everything in docs/."""
    names = sorted(file.relative_to(ROOT).as_posix() for file in ROOT.glob("docs/**/*.md"))
    return [page(name) for name in ("README.md", "CHANGELOG.md", *names)]
