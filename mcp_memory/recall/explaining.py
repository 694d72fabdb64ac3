"""What `explain` tells: how the query was read, and what each feature was worth."""

from collections.abc import Mapping
from dataclasses import asdict

from mcp_memory.db.cancellation import Connection
from mcp_memory.recall import routes
from mcp_memory.recall.candidates import Asked
from mcp_memory.recall.models import ParsedQuery
from mcp_memory.recall.weights import Weights

_DIGITS = 4


async def parsed(conn: Connection, asked: Asked) -> ParsedQuery:
    """How the query was read; rarities are those among what the caller can see."""
    question = asked.question
    rarity = await routes.rarity(conn, question.lexemes)
    asks = {"when": question.asks_when, "you": question.asks_you}
    return ParsedQuery(
        words=_rounded({word: rarity.get(word, 0.0) for word in question.lexemes}),
        anchors=await routes.anchors_in(conn, question.text, dict(asked.anchors)),
        period={name: str(value) for name, value in asdict(question.period).items() if value},
        asks=[kind for kind, is_asked in asks.items() if is_asked],
        vectors=asked.vector.provider,
    )


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
