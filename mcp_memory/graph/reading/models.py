"""What is asked of the facts, and what is read of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mcp_memory.graph.models import FactType, LinkType, Trust

RecallMode = Literal["hybrid", "recent", "important", "typed"]
QueryMode = Literal[
    "hybrid",
    "recent",
    "important",
    "typed",
    "entity",
    "related",
    "path",
    "timeline",
    "history",
    "types",
]
SortBy = Literal["importance", "confidence", "recorded_at", "occurred_at"]


@dataclass(frozen=True, slots=True)
class Instants:
    """When a fact must be true, and when we must have held it to be so; None is now.

    `always` asks for whatever was ever true, as far as is known.
    """

    as_of: datetime | None = None
    known_at: datetime | None = None
    always: bool = False


@dataclass(frozen=True, slots=True)
class FactFilter:
    """What facts must be like; None narrows nothing, ends are exclusive.

    `since` and `until` ask when a thing happened or else was stored; `happens_…` only when it
    happened, or began to be true.
    """

    memory_type: FactType | None = None
    min_importance: float | None = None
    min_confidence: float | None = None
    source: str | None = None
    tags: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    happens_after: datetime | None = None
    happens_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class FactQuery:
    """A question to the graph. `depth` counts steps, at most 4; `limit` is the page's size.

    `max_tokens` is the room for all contents, linked ones included; None is no bound.
    """

    mode: QueryMode = "hybrid"
    query: str = ""
    id: str = ""
    entity: str = ""
    related_to: str = ""
    depth: int | None = None
    relation_types: tuple[str, ...] | None = None
    instants: Instants = Instants()
    filter: FactFilter = FactFilter()
    sort_by: SortBy | None = None
    limit: int = 10
    cursor: str = ""
    max_tokens: int | None = None
    include_related: bool = False


@dataclass(frozen=True, slots=True)
class FactVersion:
    """A version of a fact that is held to be true, from when until when; None has no bound.

    `position` is what it is sorted by, the highest first. `retired_at` is only told in a history:
    since when something else has been held to be so.
    """

    memory_id: int
    version: int
    agent_id: str
    shared: bool
    memory_type: FactType
    content: str
    tokens: int
    reasoning: str
    importance: float
    confidence: float
    source: str
    trust: Trust
    session_id: str
    message_ids: list[str]
    tags: list[str]
    occurred_at: datetime | None
    reason: str
    valid_from: datetime | None
    valid_until: datetime | None
    recorded_at: datetime
    position: float
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EntityName:
    """An entity as a fact calls it."""

    id: str
    name: str
    type: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A fact that another one is linked with; `direction` is empty where there is none.

    `out`: the fact it is listed under says so of it; `in`: it says so itself.
    """

    id: str
    relation: LinkType
    content: str
    direction: Literal["", "in", "out"] = ""


@dataclass(frozen=True, slots=True)
class FactMatch:
    """A fact that answers; `score` is absolute, 0 to 1."""

    version: FactVersion
    score: float
    entities: list[EntityName] = field(default_factory=list[EntityName])
    related: list[Neighbour] = field(default_factory=list[Neighbour])
    routes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """That one thing stands in a relation to another, by the fact that says so."""

    source: str
    relation: str
    target: str
    memory_id: int


@dataclass(frozen=True, slots=True)
class FactAnswer:
    """Facts in the order of the mode; for some modes a path, relations or counts too."""

    matches: list[FactMatch] = field(default_factory=list[FactMatch])
    path: list[Step] | None = None
    relations: list[Step] | None = None
    types: dict[str, int] | None = None
    degraded: list[str] = field(default_factory=list[str])
    next_cursor: str = ""
