"""Memories as the graph's tools show them."""

from collections.abc import Sequence
from typing import Literal

from pydantic import AwareDatetime, ConfigDict, Field

from mcp_memory.graph.names import fact_id
from mcp_memory.graph.provenance import caution
from mcp_memory.graph.reading.models import EntityName, FactAnswer, FactMatch, Neighbour, Step
from mcp_memory.server.toolset import Answer

Detail = Literal["summary", "full"]

_SUMMARY_CHARS = 400


class EntityAnswer(Answer):
    """An entity as a memory calls it."""

    id: str
    name: str
    type: str


class NeighbourAnswer(Answer):
    """A memory that is linked; `direction` says which of the two the relation starts at."""

    id: str
    relation: str
    content: str
    direction: str | None

    @classmethod
    def linked(cls, linked: Neighbour) -> "NeighbourAnswer":
        """A linked memory."""
        return cls(
            id=linked.id,
            relation=linked.relation,
            content=linked.content,
            direction=linked.direction or None,
        )


class FactAnswerRow(Answer):
    """A memory; `score` is absolute, 0 to 1, and `caution` warns of what it reads like."""

    id: str
    memory_type: str
    content: str
    importance: float
    confidence: float
    score: float
    entities: list[EntityAnswer]
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
    """That one thing stands in a relation to another, by the memory `id`."""

    model_config = ConfigDict(serialize_by_alias=True)

    from_: str = Field(serialization_alias="from")
    relation: str
    to: str
    id: str


class RecallAnswer(Answer):
    """Memories in the order of the mode."""

    memories: list[FactAnswerRow]
    degraded: list[str] | None
    next_cursor: str | None


class QueryAnswer(RecallAnswer):
    """Memories, and what else the mode tells."""

    path: list[StepAnswer] | None
    relations: list[StepAnswer] | None
    types: list["TypeCount"] | None


class TypeCount(Answer):
    """How many memories of a type there are."""

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


def to_rows(
    found: Sequence[FactMatch], detail: Detail, *, with_related: bool
) -> list[FactAnswerRow]:
    """The memories; in a summary long ones are cut short, and only what they say is told."""
    return [_memory(each, detail, with_related=with_related) for each in found]


def _memory(found: FactMatch, detail: Detail, *, with_related: bool) -> FactAnswerRow:
    held, is_full = found.version, detail == "full"
    return FactAnswerRow(
        id=fact_id(held.memory_id),
        memory_type=held.memory_type,
        content=held.content if is_full else _short(held.content),
        importance=held.importance,
        confidence=held.confidence,
        score=round(found.score, 4),
        entities=[_entity(each) for each in found.entities],
        valid_from=held.valid_from,
        valid_until=held.valid_until,
        related=[NeighbourAnswer.linked(each) for each in found.related] if with_related else None,
        caution=caution(held.trust, held.source, held.content) or None,
        occurred_at=held.occurred_at,
        recorded_at=held.recorded_at,
        retired_at=held.retired_at,
        version=held.version,
        source=held.source or None,
        trust=held.trust,
        session_id=held.session_id or None,
        message_ids=held.message_ids or None,
        tags=held.tags or None,
        reasoning=(held.reasoning or None) if is_full else None,
        reason=(held.reason or None) if is_full else None,
        owner=held.agent_id,
        shared=held.shared,
        routes=list(found.routes) or None if is_full else None,
    )


def _entity(entity: EntityName) -> EntityAnswer:
    return EntityAnswer(id=entity.id, name=entity.name, type=entity.type)


def _short(text: str) -> str:
    return text if len(text) <= _SUMMARY_CHARS else f"{text[:_SUMMARY_CHARS].rstrip()}…"
