"""What a search asks and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from mcp_memory.graph.models import Trust

Source = Literal["documents", "graph", "transcripts"]
SOURCES: tuple[Source, ...] = ("documents", "graph", "transcripts")
Tier = Literal["T0", "T1", "T2_anchor", "T2_hybrid", "T3"]


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search. None narrows nothing, or takes the configured score; `until` is exclusive.

    Of memories those are found that are true at `as_of`: now, when it is None."""

    query: str
    max_results: int = 6
    min_score: float | None = None
    sources: tuple[Source, ...] = ("documents", "graph")
    path_prefix: str | None = None
    tags: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    anchors: tuple[tuple[str, str], ...] = ()
    as_of: datetime | None = None
    max_tokens: int | None = None
    explain: bool = False
    cursor: str = ""


@dataclass(frozen=True, slots=True)
class SearchFilter:
    """Filters that every route applies in SQL; they are the type `search_filter` of the database.

    None means no filter, with two exceptions: `roles=None` excludes tool output, and `as_of=None`
    returns only memories that are true now. `known_at` asks what was believed at that time.
    """

    sources: list[str]
    path_prefix: str | None = None
    tags: list[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    session: int | None = None
    roles: list[str] | None = None
    speaker: str | None = None
    origins: list[str] | None = None
    no_origins: list[str] | None = None
    as_of: datetime | None = None
    known_at: datetime | None = None
    memory_types: list[str] | None = None
    min_importance: float | None = None
    min_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that one route found, with what the route says of it (each 0 or more)."""

    chunk_id: int
    signals: dict[str, float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that answers best among those of its message.

    Which routes found the message, each signal, the absolute `score` (0 to 1), the number it is
    `rank`ed by within this query, and all of the message's chunks that were looked at.
    """

    chunk_id: int
    routes: tuple[str, ...]
    signals: dict[str, float]
    score: float
    rank: float = 0.0
    chunk_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """A chunk's text and place, as it is stored; what a memory is, only for one.

    A memory stops being found at `ends_at`.
    """

    id: int
    agent_id: str
    source: Source
    path: str
    title: str
    heading: str
    start_line: int
    end_line: int
    text: str
    tokens: int
    occurred_at: datetime
    seq: int | None
    memory_version: int | None
    trust: Trust | None
    told_by: str | None
    ends_at: datetime | None


@dataclass(frozen=True, slots=True)
class ParsedQuery:
    """How a query was read: its words with their rarity, the anchors and the time it names.

    `asks` is what kind of answer it wants; `vectors` whose vectors took part, empty for none.
    """

    words: dict[str, float]
    anchors: list[str]
    period: dict[str, str]
    asks: list[str]
    vectors: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A passage that answers. `score` is absolute, 0 to 1; lines are 1-based and inclusive.

    Only an explained one has `scores`, each feature's value, `shares`, what each adds to the
    number it is ranked by, and `used`, how often the caller was given it before. `trust` is a
    memory's; `caution` warns of one of low trust that reads like instructions.
    """

    id: str
    source: Source
    path: str
    start_line: int
    end_line: int
    title: str
    text: str
    score: float
    occurred_at: datetime
    owner: str
    routes: list[str]
    scores: dict[str, float]
    shares: dict[str, float]
    used: dict[str, int]
    citation: str
    trust: Trust | None = None
    caution: str = ""


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """Results, best first. `tokens` counts their texts; `degraded` names what took no part.

    At `ends_at` one of them is no longer true.
    """

    results: list[SearchResult]
    tokens: int
    tier: Tier
    degraded: list[str] = field(default_factory=list[str])
    next_cursor: str = ""
    query: ParsedQuery | None = None
    ends_at: datetime | None = None
