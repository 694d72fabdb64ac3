"""What goes into a budget of tokens, and where the next page begins; pure.

A passage is worth its likelihood, by the number it is ranked by, over the square root of its
length: on the conversations of LoCoMo and BEAM and eight other kinds of text that brought the most
evidence into 500 and 1,000 tokens. Leaving near copies out (MMR) brought none. Facts, whose pages
are counted, go in by their order.
"""

import math
from calendar import month_name
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from mcp_memory.errors import InvalidInput
from mcp_memory.paging import from_cursor, to_cursor
from mcp_memory.search.kinds import Candidate, ParsedQuery, SearchResult, Weights
from mcp_memory.search.query import Period, Query
from mcp_memory.search.usage import Uses

# So many of the best are looked at for what fits.
POOL = 40
_CURSOR = "search"
# Shorter ones are taken to be as long as this: a word alone says little.
_SHORT_TOKENS = 20
# A cursor is bounded, as everything that comes from outside.
_MAX_INDEX = 10_000
_MAX_LATER = 1000


def pack(
    sizes: Sequence[int], budget_tokens: int, most: int, ranks: Sequence[float] | None = None
) -> list[int]:
    """The indexes of at most `most` texts that fit together, in their order.

    With `ranks` what is worth most for its size goes first; without, the first ones, up to the one
    that does not fit. The first is always among them: where it is larger than the budget, alone.
    """
    if not sizes or sizes[0] >= budget_tokens:
        return [0] if sizes else []
    by_worth = range(1, len(sizes))
    if ranks is not None:
        worths = _worths(ranks, sizes)
        by_worth = sorted(by_worth, key=lambda index: -worths[index])
    indexes, left = [0], budget_tokens - sizes[0]
    for index in by_worth:
        if len(indexes) < most and sizes[index] <= left:
            indexes.append(index)
            left -= sizes[index]
        elif ranks is None:
            break
    return sorted(indexes)


def _worths(ranks: Sequence[float], sizes: Sequence[int]) -> list[float]:
    """Never more for a later passage of the same length, whatever put it behind."""
    lowest, worths = ranks[0], list[float]()
    for rank, size in zip(ranks, sizes, strict=True):
        lowest = min(lowest, rank)
        worths.append(math.exp(lowest - ranks[0]) / math.sqrt(max(size, _SHORT_TOKENS)))
    return worths


@dataclass(frozen=True, slots=True)
class PageState:
    """Which results earlier pages showed: every index before `first`, and `indexes` after it."""

    first: int = 0
    indexes: frozenset[int] = field(default_factory=frozenset[int])

    @classmethod
    def of(cls, cursor: str) -> "PageState":
        """What a cursor says; `InvalidInput` for one that is not a search's."""
        if not cursor:
            return cls()
        first, *later = from_cursor(_CURSOR, cursor) or [""]
        indexes = frozenset(index for index in later if isinstance(index, int))
        is_ours = len(indexes) == len(later) and len(indexes) <= _MAX_LATER
        if isinstance(first, int) and 0 <= first <= _MAX_INDEX and is_ours:
            return cls(first, indexes)
        raise InvalidInput("cursor", "is not one of memory_search")

    def remaining(self, count: int) -> list[int]:
        """The indexes of the first `count` that were not shown."""
        return [index for index in range(self.first, count) if index not in self.indexes]

    def with_page(self, indexes: Collection[int]) -> "PageState":
        """What is shown with this page too."""
        later = self.indexes | frozenset(indexes)
        first = self.first
        while first in later:
            first += 1
        return PageState(first, frozenset(index for index in later if index > first))

    @property
    def cursor(self) -> str:
        """The cursor that leads to what is left."""
        return to_cursor(_CURSOR, self.first, *sorted(self.indexes))


# A score is told with as many: what differs beyond is no difference to a reader.
_DIGITS = 4


def explain_query(query: Query, anchors: Sequence[str]) -> ParsedQuery:
    """How the query was read when these anchors were looked for."""
    question = query.question
    asks = {"when": question.asks_when, "you": question.asks_you}
    return ParsedQuery(
        words=_round({word: query.weights[word] for word in question.lexemes}),
        anchors=[*anchors],
        period=_describe_period(question.period, question.marks),
        asks=[kind for kind, is_asked in asks.items() if is_asked],
        vectors=query.vector.provider,
    )


def _describe_period(period: Period, marks: Sequence[str]) -> dict[str, str]:
    """The times that a query names, in words."""
    words = {
        "months": ", ".join(month_name[month] for month in period.months),
        "years": ", ".join(map(str, period.years)),
        "around": f"{period.around:%Y-%m-%d}" if period.around else "",
        "looks for": ", ".join(mark.partition(":")[2] for mark in marks),
    }
    return {name: text for name, text in words.items() if text}


def explain_result(
    result: SearchResult, candidate: Candidate, weights: Weights, uses: Uses | None
) -> SearchResult:
    """The result with what made its rank.

    `scores` are each feature's value, `shares` its value times its weight (none for what lies
    deeper than is ranked by features), `used` how often the caller was given it, as far as that is
    written.
    """
    worth, signals = weights.features, candidate.signals
    return replace(
        result,
        scores=_round(signals),
        shares=_round({name: worth[name] * signals[name] for name in signals if name in worth}),
        used=asdict(uses or Uses()),
    )


def _round(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in numbers.items()}
