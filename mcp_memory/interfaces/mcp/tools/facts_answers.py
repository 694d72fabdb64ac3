"""Facts as the graph's tools show them."""

from collections.abc import Sequence
from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from mcp_memory.interfaces.mcp.tools.tool import Answer
from mcp_memory.memory.facts.model import fact_id
from mcp_memory.memory.facts.provenance import caution
from mcp_memory.memory.facts.query import EntityName, FactAnswer, FactMatch, Neighbour, Step

Detail = Literal["summary", "full"]

_SUMMARY_CHARS = 400


class NeighbourAnswer(Answer):
    """A fact that is linked; `direction` says which of the two the relation starts at."""

    id: str
    relation: str
    content: str
    direction: str | None

    @classmethod
    def of_neighbour(cls, neighbour: Neighbour) -> "NeighbourAnswer":
        """A linked fact."""
        return cls(
            id=neighbour.id,
            relation=neighbour.relation,
            content=neighbour.content,
            direction=neighbour.direction or None,
        )


class FactRow(Answer):
    """A fact; `score` is absolute, 0 to 1, and `caution` warns of what it reads like."""

    id: str
    memory_type: str
    content: str
    importance: float
    confidence: float
    score: float
    entities: list[EntityName]
    valid_from: AwareDatetime | None
    valid_until: AwareDatetime | None
    related: list[NeighbourAnswer] | None
    caution: str | None
    occurred_at: AwareDatetime | None
    recorded_at: AwareDatetime
    retired_at: AwareDatetime | None
    version: int
    source: str | None
    trust: str
    session_id: str | None
    message_ids: list[str] | None
    tags: list[str] | None
    reasoning: str | None
    reason: str | None
    owner: str
    shared: bool
    routes: list[str] | None


class StepAnswer(Answer):
    """That one thing stands in a relation to another, by the fact `id`."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: str = Field(serialization_alias="from")
    relation: str
    to: str
    id: str


class RecallAnswer(Answer):
    """Facts in the order of the mode."""

    memories: list[FactRow]
    degraded: list[str] | None
    next_cursor: str | None


class QueryAnswer(RecallAnswer):
    """Facts, and what else the mode answers."""

    path: list[StepAnswer] | None
    relations: list[StepAnswer] | None
    types: list["TypeCount"] | None


class TypeCount(Answer):
    """How many facts of a type there are."""

    memory_type: str
    memories: int


def to_recall_answer(answer: FactAnswer, *, with_related: bool) -> RecallAnswer:
    """The answer of a recall."""
    return RecallAnswer(
        memories=to_rows(answer.matches, "full", with_related=with_related),
        degraded=answer.degraded or None,
        next_cursor=answer.next_cursor or None,
    )


def to_query_answer(answer: FactAnswer, detail: Detail, *, with_related: bool) -> QueryAnswer:
    """The answer to a query."""
    counts = None if answer.types is None else answer.types.items()
    return QueryAnswer(
        memories=to_rows(answer.matches, detail, with_related=with_related),
        degraded=answer.degraded or None,
        next_cursor=answer.next_cursor or None,
        path=_steps(answer.path),
        relations=_steps(answer.relations),
        types=None
        if counts is None
        else [TypeCount(memory_type=kind, memories=count) for kind, count in counts],
    )


def _steps(steps: Sequence[Step] | None) -> list[StepAnswer] | None:
    if steps is None:
        return None
    return [
        StepAnswer(from_=s.source, relation=s.relation, to=s.target, id=fact_id(s.memory_id))
        for s in steps
    ]


def to_rows(matches: Sequence[FactMatch], detail: Detail, *, with_related: bool) -> list[FactRow]:
    """The facts; in a summary long ones are cut short, and only what they say is shown."""
    return [_to_row(match, detail, with_related=with_related) for match in matches]


def _to_row(match: FactMatch, detail: Detail, *, with_related: bool) -> FactRow:
    version, is_full = match.version, detail == "full"
    return FactRow(
        id=fact_id(version.memory_id),
        memory_type=version.memory_type,
        content=version.content if is_full else _short(version.content),
        importance=version.importance,
        confidence=version.confidence,
        score=round(match.score, 4),
        entities=match.entities,
        valid_from=version.valid_from,
        valid_until=version.valid_until,
        related=[NeighbourAnswer.of_neighbour(fact) for fact in match.related]
        if with_related
        else None,
        caution=caution(version.trust, version.source, version.content) or None,
        occurred_at=version.occurred_at,
        recorded_at=version.recorded_at,
        retired_at=version.retired_at,
        version=version.version,
        source=version.source or None,
        trust=version.trust,
        session_id=version.session_id or None,
        message_ids=version.message_ids or None,
        tags=version.tags or None,
        reasoning=(version.reasoning or None) if is_full else None,
        reason=(version.reason or None) if is_full else None,
        owner=version.agent_id,
        shared=version.shared,
        routes=list(match.routes) or None if is_full else None,
    )


def _short(text: str) -> str:
    return text if len(text) <= _SUMMARY_CHARS else f"{text[:_SUMMARY_CHARS].rstrip()}…"
