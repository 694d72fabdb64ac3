"""Cutting a list of texts into batches; pure."""

from collections.abc import Iterator, Sequence


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


def runs_of_similar_length(
    lengths: Sequence[int], *, max_count: int, max_total: int
) -> Iterator[list[int]]:
    """Positions grouped shortest first, so that a batch pads little.

    `max_total` bounds what a batch costs: its count times its longest length.
    """
    group: list[int] = []
    for position in sorted(range(len(lengths)), key=lengths.__getitem__):
        padded = (len(group) + 1) * lengths[position]
        if group and (len(group) == max_count or padded > max_total):
            yield group
            group = []
        group.append(position)
    if group:
        yield group
