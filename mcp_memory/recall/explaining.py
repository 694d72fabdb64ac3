"""What `explain` tells: how the query was read, and what each feature was worth."""

from calendar import month_name
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from mcp_memory.db.connection import Connection
from mcp_memory.recall import routes
from mcp_memory.recall.candidates import PreparedQuery
from mcp_memory.recall.models import ParsedQuery
from mcp_memory.recall.question import Period
from mcp_memory.recall.spell_correction import weighed
from mcp_memory.recall.usage import store
from mcp_memory.recall.usage.models import Uses
from mcp_memory.recall.weights import Weights

_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is told beside an answer: the query as it was read, and what was used before."""

    query: ParsedQuery
    used: Mapping[int, Uses]


async def explanation(conn: Connection, prepared: PreparedQuery, ids: Sequence[int]) -> Explanation:
    """What there is to tell of a query and of these chunks."""
    return Explanation(await _parsed(conn, prepared), await store.of(conn, ids))


async def _parsed(conn: Connection, prepared: PreparedQuery) -> ParsedQuery:
    """How the query was read; rarities are those among what the caller can see."""
    read = await weighed(conn, prepared.question)
    question = read.question
    asks = {"when": question.asks_when, "you": question.asks_you}
    return ParsedQuery(
        words=_rounded({word: read.weights[word] for word in question.lexemes}),
        anchors=await routes.anchors_in(conn, question.text, dict(prepared.anchors)),
        period=_told(question.period, question.marks),
        asks=[kind for kind, is_asked in asks.items() if is_asked],
        vectors=prepared.vector.provider,
    )


def _told(period: Period, marks: Sequence[str]) -> dict[str, str]:
    """The times that a query names, in words."""
    told = {
        "months": ", ".join(month_name[month] for month in period.months),
        "years": ", ".join(map(str, period.years)),
        "around": f"{period.around:%Y-%m-%d}" if period.around else "",
        "looks for": ", ".join(mark.partition(":")[2] for mark in marks),
    }
    return {name: words for name, words in told.items() if words}


def used_of(uses: Uses | None) -> dict[str, int]:
    """How often the caller was given a result, and read around it; as far as it is written."""
    return asdict(uses or Uses())


def scores_of(signals: Mapping[str, float]) -> dict[str, float]:
    """Each feature's value."""
    return _rounded(signals)


def shares_of(signals: Mapping[str, float], weights: Weights) -> dict[str, float]:
    """What each feature adds to the number the result is ranked by: its weight times its value.

    Empty for what lies deeper than is ranked by features.
    """
    worth = weights.features
    return _rounded({name: worth[name] * value for name, value in signals.items() if name in worth})


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in numbers.items()}
