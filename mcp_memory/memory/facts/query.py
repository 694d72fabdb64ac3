"""What is asked of the facts, and what is read of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mcp_memory.errors import InvalidInput
from mcp_memory.memory.facts.model import FactType, LinkType, VersionContent
from mcp_memory.paging import from_cursor, instant_in_cursor, to_cursor

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
class FactVersion(VersionContent):
    """A version of a fact that is held to be true, from when until when; None has no bound.

    `position` is what it is sorted by, the highest first. `retired_at` is only given in a history:
    since when something else has been held to be so.
    """

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


_KIND = "memories"


@dataclass(frozen=True, slots=True)
class Position:
    """The row listed last (what it is sorted by, fact, version), and the first page's instants.

    All pages show what was known at the first: nothing moves while others write.
    """

    after: tuple[float, int, int]
    as_of: datetime
    known_at: datetime


def write_position(mode: str, position: Position) -> str:
    """The cursor of a position in a list of this mode."""
    instants = position.as_of.isoformat(), position.known_at.isoformat()
    return to_cursor(_KIND, mode, *position.after, *instants)


def read_position(mode: str, cursor: str) -> Position:
    """The position; `InvalidInput` for what `write_position` did not make for this mode."""
    match from_cursor(_KIND, cursor):
        case [
            str() as of_mode,
            float() | int() as rank,
            int() as number,
            int() as version,
            str() as as_of,
            str() as known_at,
        ] if of_mode == mode and _are_small(number, version):
            instants = instant_in_cursor(as_of), instant_in_cursor(known_at)
            return Position((float(rank), number, version), *instants)
        case _:
            raise _foreign_cursor()


def _are_small(number: int, version: int) -> bool:
    return 0 <= number < 2**63 and 0 <= version < 2**31


def _foreign_cursor() -> InvalidInput:
    return InvalidInput("cursor", "pass the next_cursor of the page before, with the same filters")
