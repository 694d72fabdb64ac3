"""Rows as columns of numbers: groups of rows, and what each holds of a question's words; pure."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mcp_memory.search.question import Question
from mcp_memory.text.terms import lexemes

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]
_Key = TypeVar("_Key", bound=Hashable)

# A chunk of this many tokens is neither favoured nor held back by its length (BM25's b = 0.25).
USUAL_TOKENS = 100.0
_LENGTH_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class Groups:
    """Which of `count` groups each row belongs to, by the group's number."""

    of_row: Numbers  # (rows)
    count: int

    def most(self, values: Floats) -> Floats:
        """The largest value of each group; -inf for one without rows."""
        largest = np.full(self.count, -np.inf)
        np.maximum.at(largest, self.of_row, values)
        return largest

    def any(self, flags: Flags) -> Flags:
        """Whether a row of the group is flagged; for a table of flags, column by column."""
        flagged = np.zeros((self.count, *flags.shape[1:]), np.bool_)
        rows, *columns = np.nonzero(flags)
        flagged[(self.of_row[rows], *columns)] = True
        return flagged

    def firsts(self) -> Numbers:
        """The first row of each group; none may be without rows."""
        return np.unique(self.of_row, return_index=True)[1]


def number_keys(keys: Iterable[_Key]) -> tuple[dict[_Key, int], Numbers]:
    """A number for each distinct key, in the order of its first row, and each row's number."""
    numbers: dict[_Key, int] = {}
    of_row = [numbers.setdefault(key, len(numbers)) for key in keys]
    return numbers, np.array(of_row, np.intp)


def column(values: Sequence[float | None]) -> Floats:
    """The values as numbers; NaN for what is not known."""
    return np.array(values, np.float64)


def any_of(table: Flags) -> Flags:
    """Whether any flag of each row is set."""
    return np.logical_or.reduce(table, axis=1)


def weighted_sums(table: Floats | Flags, weights: Sequence[float]) -> Floats:
    """The weighted sum of each row; equal rows have equal sums, wherever they stand.

    (A matrix product does not promise that: its last rows may be added up in another order.)
    """
    sums = np.zeros(len(table))
    for index, weight in enumerate(weights):
        sums += weight * table[:, index]
    return sums


@dataclass(frozen=True, slots=True)
class Wording:
    """The columns of the hits, (rows, columns), by what they are: words, then marks of times.

    `content` are the words that name no speaker, each with its `weights`, which sum to `total`;
    `names` those that do, and `named` the speakers. `marks` are of the named times, `days` those
    of days alone, and `time_words` the words that name them.
    """

    content: list[int]
    weights: list[float]
    total: float
    names: list[int]
    named: set[str]
    marks: list[int]
    days: list[int]
    time_words: list[int]

    def held(self, hits: Floats) -> Flags:
        """Which of the words and marks each row holds.

        What is of a day holds the words that name the day, however it says it.
        """
        held = hits > 0
        if self.marks:
            is_of_time = any_of(held[:, self.marks])
            for index in self.time_words:
                held[:, index] |= is_of_time
        return held

    def lexical(self, hits: Floats, tokens: Floats) -> Floats:
        """BM25 of each row over the words that are no names."""
        length = 1 - _LENGTH_SHARE + _LENGTH_SHARE * tokens / USUAL_TOKENS
        return weighted_sums(hits[:, self.content], self.weights) / length

    def coverage(self, held: Flags) -> Floats:
        """The share of the words' rarity that each row holds."""
        return weighted_sums(held[:, self.content], self.weights) / self.total


def wording(
    question: Question, weights: Mapping[str, float], speakers: Iterable[str | None]
) -> Wording:
    """The question's words; speakers' names are no content: they say who spoke, not of what."""
    spoken = {speaker: set(lexemes(speaker)) for speaker in set(speakers) if speaker}
    words = set(question.lexemes)
    all_names = {word for name in spoken.values() for word in name}
    columns = list(enumerate(question.lexemes))
    content = [column for column in columns if column[1] not in all_names] or columns
    rarities = [weights.get(word, 0.0) for _, word in content]
    marks = list(enumerate(question.marks, len(columns)))
    return Wording(
        content=[index for index, _ in content],
        weights=rarities,
        total=sum(rarities) or 1.0,
        names=[index for index, word in columns if word in all_names],
        named={speaker for speaker, name in spoken.items() if name & words},
        marks=[index for index, mark in marks if "~" in mark],
        days=[index for index, mark in marks if "~on:" in mark],
        time_words=[index for index, word in columns if word in question.time_words],
    )
