"""What can be searched, and how each kind of memory is: its depth, its floor, its priors; data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Literal, TypedDict, cast

from mcp_memory.memory.facts.model import Trust

Source = Literal["documents", "graph", "transcripts"]
SOURCES: tuple[Source, ...] = ("documents", "graph", "transcripts")
Tier = Literal["T0", "T2_anchor", "T2_hybrid"]

# What a text may gain by being the newest that was found, or a fact of importance 1, in the unit of
# the ranking's weighted sum. Not learned, and small: it decides between what is as good as equal (a
# cosine better by .03 outweighs it).
PRIORS = {"recency": 0.03, "importance": 0.1}
# After so many days a text is half as recent.
HALF_LIFE_DAYS = 30.0
# Of what nobody said how important it is.
USUAL_IMPORTANCE = 0.5


@dataclass(frozen=True, slots=True)
class Kind:
    """How one kind of memory is searched.

    Each route returns `hits` at first; of those the best `ranked` by words and meaning are ranked
    with full evidence (None: all), and with what stands beside the best `seeds`. `beside` is the
    share of the floor that is enough beside a result that reaches all of it.
    """

    hits: int
    ranked: int | None
    seeds: int
    beside: float


# A passage says enough: among 7,000 of them, recall at 5, 10 and 20 is no better with twice as many
# hits and twice as many ranked. What is a good deal less likely than a good one may still be of
# use; .6 of the floor was set by hand, at .3 it keeps what is more likely than one in six.
DOCUMENTS = Kind(hits=80, ranked=100, seeds=0, beside=0.6)
FACTS = DOCUMENTS
# A short message may be worth more than it shows: with 160 ranked, LoCoMo's recall at ten falls by
# .01. Where the best message is relevant, those around it in the order may be, though by themselves
# they say little: all are shown, or none.
MESSAGES = Kind(hits=120, ranked=None, seeds=20, beside=0.0)


@dataclass(frozen=True, slots=True)
class Filter:
    """What every route leaves out, in SQL: the type `search_filter`, field by field.

    None means no filter, with two exceptions: `roles=None` excludes tool output, and `as_of=None`
    returns only facts that are true now. `known_at` asks what was believed at that time.
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
    """A chunk that one route returned, with what the route says of it (each 0 or more)."""

    chunk_id: int
    signals: dict[str, float]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that answers best among those of its message.

    Which routes led to the message, each signal, the absolute `score` (0 to 1), the number it is
    `rank`ed by within this query, and all of the message's chunks that were looked at.
    """

    chunk_id: int
    routes: tuple[str, ...]
    signals: Mapping[str, float]
    score: float
    rank: float = 0.0
    chunk_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A search. None narrows nothing, or takes the configured score; `until` is exclusive.

    Of facts those match that are true at `as_of`: now, when it is None."""

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
class SearchResult:
    """A passage, and how well it answers: `score` is absolute, 0 to 1.

    Lines are 1-based and inclusive. Only an explained one has `scores`, each feature's value,
    `shares`, what each adds to the number it is ranked by, and `used`, how often the caller was
    given it before. `trust` is a fact's; `caution` warns of one of low trust that reads like
    instructions. At `ends_at` it is no longer true.
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
    ends_at: datetime | None = None


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
class SearchAnswer:
    """Results, best first. `tokens` counts their texts; `degraded` names what took no part.

    At `ends_at` something of it is no longer true.
    """

    results: list[SearchResult]
    tokens: int
    tier: Tier
    degraded: list[str] = field(default_factory=list[str])
    next_cursor: str = ""
    query: ParsedQuery | None = None
    ends_at: datetime | None = None


class _Table(TypedDict):
    features: dict[str, float]
    calibration: dict[str, float]


@dataclass(frozen=True, slots=True)
class Weights:
    """What each feature is worth in the order, priors too, and what the score is made of.

    The score is a probability: the logistic function of `coverage`, `cosine` and `constant`. Where
    only meaning is asked for, it is that of `cosine_only`.
    """

    features: dict[str, float]
    coverage: float
    cosine: float
    constant: float
    cosine_only: tuple[float, float]


# Other models' cosines are taken to be spread like MiniLM's; without any, words must do.
_DEFAULT, _WITHOUT_VECTORS = "minilm", "hashing"


# Slope and constant where words have no say. Beside words, what hashing vectors share (spelling)
# adds little; by themselves it is all there is. Set by hand, not learned: in a talk of five
# messages the cosine was .48 to .75 where the words asked for stood, mostly below .25 elsewhere.
_HASHING_ONLY = (10.0, -3.5)


@cache
def weights_for(provider: str) -> Weights:
    """The weights learned with this provider's vectors, or with the most similar ones known."""
    text = files("mcp_memory.search").joinpath("weights.json").read_text("utf-8")
    tables = cast("dict[str, _Table]", json.loads(text))
    table = tables.get(provider or _WITHOUT_VECTORS, tables[_DEFAULT])
    calibration = table["calibration"]
    joint = (calibration["cosine"], calibration["constant"])
    return Weights(
        table["features"] | PRIORS,
        calibration["coverage"],
        *joint,
        cosine_only=_HASHING_ONLY if provider == _WITHOUT_VECTORS else joint,
    )
