"""What facts are, what is asked of them, and what comes back."""

import re
from dataclasses import dataclass, field
from datetime import datetime
from difflib import SequenceMatcher
from typing import Literal, get_args

from mcp_memory.text.terms import STOP_WORDS, lexemes, normalize, spellings

FactType = Literal[
    "identity",
    "goal",
    "routine",
    "decision",
    "todo",
    "preference",
    "fact",
    "correlation",
    "prediction",
    "event",
    "feedback",
    "observation",
    "anomaly",
]
LinkType = Literal[
    "related_to",
    "contradicts",
    "updates",
    "caused_by",
    "result_of",
    "part_of",
    "triggers",
    "reinforces",
    "weakens",
    "violated",
    "predicts",
    "confirmed",
    "overrides",
]
Trust = Literal["user", "agent", "tool", "web"]
Never = Literal["never"]

FACT_TYPES: tuple[FactType, ...] = get_args(FactType)
LINK_TYPES: tuple[LinkType, ...] = get_args(LinkType)
UNDIRECTED: tuple[LinkType, ...] = ("related_to", "contradicts")
DEFAULT_IMPORTANCE: dict[FactType, float] = {
    "identity": 1.0,
    "goal": 0.9,
    "routine": 0.85,
    "decision": 0.8,
    "todo": 0.8,
    "preference": 0.7,
    "fact": 0.6,
    "correlation": 0.5,
    "prediction": 0.5,
    "event": 0.4,
    "feedback": 0.4,
    "observation": 0.3,
    "anomaly": 0.3,
}
# The type of an entity that was named, but not said to be anything.
UNKNOWN_TYPE = "unknown"


@dataclass(frozen=True, slots=True)
class EntityReference:
    """An entity as a fact names it; without a type it is the known one of that name."""

    name: str
    type: str = ""
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RelationReference:
    """That `subject` stands in `relation` to `object`, both entities by name.

    Times of its own narrow those of the fact; None leaves them.
    """

    subject: str
    relation: str
    object: str
    valid_from: datetime | None = None
    valid_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """That the fact stands in this relation to the one with this id."""

    target_id: str
    relation_type: LinkType = "related_to"


@dataclass(frozen=True, slots=True)
class NewFact:
    """A new fact. None is the usual: importance of its type, true always, never expiring."""

    content: str
    memory_type: FactType = "fact"
    reasoning: str = ""
    importance: float | None = None
    confidence: float = 1.0
    source: str = ""
    entities: tuple[EntityReference, ...] = ()
    relations: tuple[RelationReference, ...] = ()
    associations: tuple[Association, ...] = ()
    occurred_at: datetime | None = None
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    expires_at: datetime | None = None
    message_ids: tuple[str, ...] = ()
    supersedes: str = ""
    tags: tuple[str, ...] = ()
    shared: bool = False
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class FactChange:
    """A change of a fact; None keeps what it has, a list takes the place of the one before.

    `never` takes an end away. Without `valid_from` the change is true from now on.
    """

    id: str
    content: str | None = None
    memory_type: FactType | None = None
    reasoning: str | None = None
    importance: float | None = None
    confidence: float | None = None
    source: str | None = None
    entities: tuple[EntityReference, ...] | None = None
    relations: tuple[RelationReference, ...] | None = None
    associations: tuple[Association, ...] | None = None
    occurred_at: datetime | None = None
    valid_from: datetime | None = None
    valid_until: datetime | Never | None = None
    expires_at: datetime | Never | None = None
    message_ids: tuple[str, ...] | None = None
    supersedes: str = ""
    tags: tuple[str, ...] | None = None
    shared: bool | None = None
    reason: str = ""
    idempotency_key: str = ""


@dataclass(frozen=True, slots=True)
class FactHead:
    """What is the same for all versions of a fact; `version` is the newest."""

    id: int
    agent_id: str
    shared: bool
    version: int
    supersedes: int | None
    expires_at: datetime | None
    forgotten_at: datetime | None


@dataclass(frozen=True, slots=True)
class VersionContent:
    """What one version of a fact says."""

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


@dataclass(frozen=True, slots=True)
class Span:
    """From when until when a version is true; None has no bound on that side."""

    memory_id: int
    version: int
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Mention:
    """An entity that a version speaks of, by the name it uses; `normal` and `known_as` folded."""

    entity_id: int
    name: str
    type: str
    normal: str
    known_as: list[str]


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation between two entities as a version states it, with the names it uses."""

    subject_id: int
    relation: str
    object_id: int
    subject: str
    object: str
    valid_from: datetime | None
    valid_until: datetime | None


@dataclass(frozen=True, slots=True)
class Link:
    """A relation of a version's fact to another fact."""

    target_id: int
    relation_type: LinkType


@dataclass(frozen=True, slots=True)
class Statements:
    """What a version states besides its text."""

    mentions: list[Mention] = field(default_factory=list[Mention])
    relations: list[Relation] = field(default_factory=list[Relation])
    links: list[Link] = field(default_factory=list[Link])


@dataclass(frozen=True, slots=True)
class EntityCandidate:
    """A known entity that may be the one that was named; `score` is how like the names are."""

    id: str
    name: str
    score: float


@dataclass(frozen=True, slots=True)
class EntityResolution:
    """An entity that a stored fact speaks of; candidates only for one that is new."""

    id: str
    name: str
    created: bool
    candidates: list[EntityCandidate] = field(default_factory=list[EntityCandidate])


@dataclass(frozen=True, slots=True)
class SimilarFact:
    """An older fact that says much the same (`score` 0 to 1), or contradicts a relation."""

    id: str
    content: str
    score: float
    contradicts: str = ""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """A fact that is stored; `repeated` when exactly the same was there already."""

    id: str
    memory_type: FactType
    version: int
    entities: list[EntityResolution]
    similar: list[SimilarFact]
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """The version that a change made, and the fields that differ from the one before."""

    id: str
    version: int
    changed: list[str]


@dataclass(frozen=True, slots=True)
class ForgetResult:
    """What became of a fact: forgotten at an instant, restored, or purged."""

    id: str
    forgotten_at: datetime | None = None
    restored: bool = False
    purged: bool = False


_ID = re.compile(r"([me]?)([0-9]{1,18})")
_MAX_SPELT_WORDS = 8


def fact_id(number: int) -> str:
    """A fact's id as it is shown; no chunk and no entity has one like it."""
    return f"m{number}"


def entity_id(number: int) -> str:
    """An entity's id as it is shown."""
    return f"e{number}"


def fact_number(text: str) -> int | None:
    """The number of a fact's id; None for what is no such id."""
    return _number("m", text)


def entity_number(text: str) -> int | None:
    """The number of an entity's id; None for what is no such id."""
    match = _ID.fullmatch(text.strip())
    return int(match[2]) if match and match[1] == "e" else None


def _number(kind: str, text: str) -> int | None:
    match = _ID.fullmatch(text.strip())
    return int(match[2]) if match and match[1] in (kind, "") else None


def words_of(*names: str) -> list[str]:
    """What the names are near to others by: lexemes, words as they are written, and initials."""
    return sorted({word for name in names for word in _words_of(name)})


def _words_of(name: str) -> set[str]:
    words = normalize(name).split()
    return {*lexemes(name), *words, *initials(name)}


def initials(name: str) -> set[str]:
    """`nyt` and `tnyt` of The New York Times; a name of one word has none."""
    words = normalize(name).split()
    named = [word for word in words if word not in STOP_WORDS]
    return {"".join(word[0] for word in each) for each in (words, named) if len(each) > 1}


def typos_of(name: str) -> list[str]:
    """Every word that is a slip away from one of the name's first."""
    words = normalize(name).split()[:_MAX_SPELT_WORDS]
    return sorted({slip for word in words for slip in spellings(word)})


def likeness(one: str, other: str) -> float:
    """1 for the same letters, in whatever order the words stand.

    A name that is part of the other's words, or their initials, is nearly that.
    """
    words, others = one.split(), other.split()
    is_part = set(words) < set(others) or set(others) < set(words)
    is_short_for = one in initials(other) or other in initials(one)
    in_order = SequenceMatcher(None, " ".join(sorted(words)), " ".join(sorted(others))).ratio()
    written = SequenceMatcher(None, one, other).ratio()
    return max(written, in_order, 0.8 if is_part or is_short_for else 0.0)
