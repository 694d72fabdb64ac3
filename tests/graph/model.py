"""A model of memories that knows days, not spans: which text is so on each of fourteen days.

Day 0 lies before everything that is told, day 13 after now; what is true always is so on all.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

DAYS = frozenset(range(14))
NOW = 13

Kind = Literal["store", "supersede", "update", "end", "forget", "undo"]


@dataclass(frozen=True, slots=True)
class Step:
    """Something that is done; `choice` says to which memory, `start` and `length` from when on."""

    kind: Kind
    choice: int
    start: int | None
    length: int | None

    @property
    def end(self) -> int | None:
        """The first day after it, when it ends before day 13."""
        if self.start is None or self.length is None or self.start + self.length >= NOW:
            return None
        return self.start + self.length


def instant_of(day: int | None) -> datetime | None:
    """Noon of that day; day 13 is years from now."""
    if day is None:
        return None
    return (
        datetime(2040, 1, 1, tzinfo=UTC)
        if day == NOW
        else datetime(2026, 1, 1 + day, 12, tzinfo=UTC)
    )


@dataclass(slots=True)
class Told:
    """A version: its text, the days on which it is so, and its end, if one was told."""

    text: str
    days: set[int]
    end: int | None


@dataclass(slots=True)
class Model:
    """Every memory with its versions, newest last; the chains; what is forgotten."""

    memories: dict[str, list[Told]] = field(default_factory=dict[str, list[Told]])
    older: dict[str, str] = field(default_factory=dict[str, str])
    forgotten: set[str] = field(default_factory=set[str])

    def on(self, day: int) -> dict[str, str]:
        """What is so on that day."""
        return {
            id: version.text
            for id, versions in self.memories.items()
            for version in versions
            if id not in self.forgotten and day in version.days
        }

    def newest(self) -> list[str]:
        """What can be changed: neither forgotten nor superseded."""
        superseded = set(self.older.values())
        return [id for id in self.memories if id not in self.forgotten | superseded]

    def store(self, id: str, text: str, step: Step, older: str | None) -> None:
        """A new memory; what it supersedes is not so any more from its beginning on."""
        start = NOW if older and step.start is None else step.start or 0
        if older is not None:
            self._cut(self._chain(older), start, step.end)
            self.older[id] = older
        self.memories[id] = [Told(text, _days(start, step.end), step.end)]

    def update(self, id: str, text: str, step: Step) -> None:
        """Another text from its beginning on, or from now."""
        start = NOW if step.start is None else step.start
        last = self.memories[id][-1].end
        end = step.end if step.end is not None else last if last and last > start else None
        self._cut(self._chain(id), start, end)
        self.memories[id].append(Told(text, _days(start, end), end))

    def present(self, id: str) -> Told:
        """What is so now, else what was told last."""
        versions = self.memories[id]
        return next((each for each in versions if NOW in each.days), versions[-1])

    def end(self, id: str, end: int) -> None:
        """The present text is so until then, and has been as long as it was held to be."""
        old = self.present(id)
        start = min(old.days)
        old.days = set[int]()
        self._cut(self._chain(id), start, end)
        self.memories[id].append(Told(old.text, _days(start, end), end))

    def _chain(self, id: str) -> list[str]:
        return [id, *(self._chain(self.older[id]) if id in self.older else [])]

    def _cut(self, chain: list[str], start: int, end: int | None) -> None:
        for version in (each for id in chain for each in self.memories[id] if each.days):
            if min(version.days) < start:
                version.days = {day for day in version.days if day < start}
            elif end is None or min(version.days) == start:
                version.days = set()
            else:
                version.days = {day for day in version.days if day >= end}


def _days(start: int, end: int | None) -> set[int]:
    return {day for day in DAYS if day >= start and (end is None or day < end)}
