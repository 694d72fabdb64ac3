"""Rows as columns of numbers, and what groups of rows are like together: pure, no database."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Numbers = NDArray[np.intp]
_Key = TypeVar("_Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Groups:
    """Which of `count` groups each row belongs to, by the group's number."""

    of_row: Numbers
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


def numbered(keys: Iterable[_Key]) -> tuple[dict[_Key, int], Numbers]:
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


def weighed(table: Floats | Flags, weights: Sequence[float]) -> Floats:
    """The weighted sum of each row; equal rows have equal sums, wherever they stand.

    (A matrix product does not promise that: its last rows may be added up in another order.)
    """
    sums = np.zeros(len(table))
    for place, weight in enumerate(weights):
        sums += weight * table[:, place]
    return sums
