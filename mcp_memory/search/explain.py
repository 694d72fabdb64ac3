"""What `explain` tells: how the query was read, and what each feature was worth; pure."""

from calendar import month_name
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from mcp_memory.search.kinds import Candidate, ParsedQuery, SearchResult
from mcp_memory.search.query import Query
from mcp_memory.search.question import Period
from mcp_memory.search.usage import Uses
from mcp_memory.search.weights import Weights

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
