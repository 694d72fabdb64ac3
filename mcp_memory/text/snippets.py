"""The part of a text that fits a budget of tokens and says most about what was asked."""

from collections.abc import Sequence
from dataclasses import dataclass

from mcp_memory.text.chunking import split_lines, split_long_line
from mcp_memory.text.terms import index_lexemes
from mcp_memory.text.tokens import TOKEN, weigh


@dataclass(frozen=True, slots=True)
class _Window:
    """Parts `start` up to `end`; windows compare by what of the focus they hold."""

    distinct: int
    hits: int
    start: int
    end: int

    @property
    def rank(self) -> tuple[int, int]:
        return self.distinct, self.hits


def fit(text: str, budget_tokens: int, focus: Sequence[str]) -> tuple[str, int, int]:
    """The contiguous lines that hold most of the focus lexemes within the budget.

    Returns the excerpt and its first and last line, 0-based and inclusive, relative to the text.
    A line too long for the budget is cut inside; without any match it is the beginning. The
    budget counts estimated tokens; at least one word comes back however small it is.
    """
    lines = split_lines(text)
    limit = max(1, budget_tokens) * TOKEN
    if not lines or weigh(text) <= limit:
        return text, 0, max(0, len(lines) - 1)
    lexemes = frozenset(focus)
    weights = [weigh(f"{line}\n") for line in lines]
    matches = [_matches(line, lexemes) for line in lines]
    window = _densest(weights, matches, limit)
    longest = max(range(len(lines)), key=lambda i: (len(set(matches[i])), len(matches[i]), -i))
    if window is None or _is_better(matches[longest], window):
        return _fit_line(lines[longest], limit, lexemes), longest, longest
    start, end = _grow(window, weights, matches, limit)
    return "\n".join(lines[start:end]), start, end - 1


def _matches(part: str, focus: frozenset[str]) -> list[str]:
    return [lexeme for lexeme in index_lexemes(part) if lexeme in focus] if focus else []


def _is_better(matches: Sequence[str], window: _Window) -> bool:
    return (len(set(matches)), len(matches)) > window.rank


def _fit_line(line: str, limit: int, focus: frozenset[str]) -> str:
    """The sentences of one long line around its densest match."""
    parts = split_long_line(line.strip(), max(TOKEN, limit // 4))
    weights = [weigh(part) for part in parts]
    matches = [_matches(part, focus) for part in parts]
    window = _densest(weights, matches, limit)
    if window is None:
        return parts[0].strip() if parts else ""
    start, end = _grow(window, weights, matches, limit)
    return "".join(parts[start:end]).strip()


def _densest(
    weights: Sequence[int], matches: Sequence[Sequence[str]], limit: int
) -> _Window | None:
    """The first of the fullest windows within the limit; None when no part fits."""
    best: _Window | None = None
    counts: dict[str, int] = {}
    start = weight = hits = 0
    for position, part_weight in enumerate(weights):
        weight += part_weight
        hits += len(matches[position])
        for lexeme in matches[position]:
            counts[lexeme] = counts.get(lexeme, 0) + 1
        while weight > limit:
            weight -= weights[start]
            hits -= len(matches[start])
            _forget(counts, matches[start])
            start += 1
        if start <= position:
            window = _Window(len(counts), hits, start, position + 1)
            best = window if best is None or window.rank > best.rank else best
    return best


def _forget(counts: dict[str, int], lexemes: Sequence[str]) -> None:
    for lexeme in lexemes:
        counts[lexeme] -= 1
        if not counts[lexeme]:
            del counts[lexeme]


def _grow(
    window: _Window, weights: Sequence[int], matches: Sequence[Sequence[str]], limit: int
) -> tuple[int, int]:
    """The matching parts of a window with as much around them, on both sides, as the limit has."""
    matching = [i for i in range(window.start, window.end) if matches[i]]
    start, end = (matching[0], matching[-1] + 1) if matching else (window.start, window.end)
    left = limit - sum(weights[start:end])
    while True:
        before = start > 0 and weights[start - 1] <= left
        if before:
            start -= 1
            left -= weights[start]
        after = end < len(weights) and weights[end] <= left
        if after:
            left -= weights[end]
            end += 1
        if not before and not after:
            return start, end
