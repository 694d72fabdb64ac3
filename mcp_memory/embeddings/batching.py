"""Cutting a list of texts into batches; pure."""

from collections.abc import Iterator, Sequence
from itertools import groupby


def batches(texts: Sequence[str], *, max_count: int, max_characters: int) -> Iterator[list[str]]:
    """Consecutive runs of texts, in order, bounded by count and by characters.

    A text that is longer than `max_characters` alone is a batch of its own, never cut.
    """
    batch: list[str] = []
    characters = 0
    for text in texts:
        if batch and (len(batch) == max_count or characters + len(text) > max_characters):
            yield batch
            batch, characters = [], 0
        batch.append(text)
        characters += len(text)
    if batch:
        yield batch


def runs_of_equal_length(lengths: Sequence[int], *, max_count: int) -> Iterator[list[int]]:
    """Positions grouped by length, shortest first: a batch of them needs no padding."""
    by_length = sorted(range(len(lengths)), key=lengths.__getitem__)
    for _, equals in groupby(by_length, key=lengths.__getitem__):
        positions = list(equals)
        for start in range(0, len(positions), max_count):
            yield positions[start : start + max_count]
