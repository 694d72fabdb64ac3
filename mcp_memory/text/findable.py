"""All that a piece of text is found by, worked out of what is kept of it.

Whatever writes or renews a piece works its lexemes out here, so that both come to the same. Raise
`INDEXING` when they come out otherwise than before: pieces indexed by less are renewed.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from mcp_memory.text.terms import index_lexemes, tsvector
from mcp_memory.text.times import marks_of

INDEXING = 2


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A piece of a document or of a fact on its way into the database."""

    position: int
    heading: str
    start_line: int
    end_line: int
    text: str
    text_hash: bytes
    tokens: int
    lexemes: str = ""


_DAY_IN_NAME = re.compile(r"(?<!\d)(\d{4})[-_/](\d\d)[-_/](\d\d)(?!\d)")


@dataclass(frozen=True, slots=True)
class Findable:
    """A piece of text and what is said of it; its yesterday is the day before `reported_on`.

    `name` is the path of a document; where that names a day, it was reported on that day.
    `also_on` is a further day that it is of.
    """

    heading: str
    text: str
    reported_on: date
    also_on: date | None = None
    name: str = ""
    tags: Sequence[str] = ()

    @property
    def lexemes(self) -> str:
        """A literal for `::tsvector`: words of text, heading, name and tags, days and months.

        A word of the name or of a tag counts as one that stands in the text once.
        """
        extra = [*self._marks(), *self._words_beside()]
        return tsvector(f"{self.heading}\n{self.text}", extra=extra)

    def _marks(self) -> list[str]:
        reported_on = _day_in(self.name) or self.reported_on
        days = (self.reported_on, self.also_on)
        also = [day for day in days if day is not None and day != reported_on]
        return marks_of(self.text, reported_on, also)

    def _words_beside(self) -> Iterator[str]:
        for words in (self.name, *self.tags):
            yield from index_lexemes(words)


def day_of(instant: datetime, zone: tzinfo) -> date:
    """The day of an instant in the zone; that of its own zone at the ends of time."""
    try:
        return instant.astimezone(zone).date()
    except OverflowError:
        return instant.date()


def _day_in(name: str) -> date | None:
    """The day that a path names, such as `memory/2026-03-01.md`."""
    if (found := _DAY_IN_NAME.search(name)) is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None
