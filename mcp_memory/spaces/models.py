"""What a vector space is, how full it is, and what is still to be embedded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from mcp_memory.db.vectors import Vector

State = Literal["filling", "active", "dropping"]


@dataclass(frozen=True, slots=True)
class Space:
    """One model's vectors in one database; searches use the active one.

    Until it is prepared, it lacks its index, and chunks older than it are not queued.
    """

    id: int
    provider: str
    model: str
    dimensions: int
    state: State
    prepared: bool
    problem: str = ""

    @property
    def name(self) -> str:
        """Such as `minilm/all-MiniLM-L6-v2`; spaces of other dimensions may share it."""
        return f"{self.provider}/{self.model}"

    @property
    def label(self) -> str:
        """Such as `minilm/all-MiniLM-L6-v2 (384)`."""
        return f"{self.name} ({self.dimensions})"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """How full a space is: chunks with a vector, waiting for one, and set aside after failing."""

    space: Space
    vectors: int
    pending: int
    failed: int
    last_problem: str

    @property
    def state(self) -> State | Literal["full"]:
        """The space's state, for a person: one that is filled and lacks nothing is full."""
        is_full = self.space.state == "filling" and self.space.prepared and not self.pending
        return "full" if is_full else self.space.state


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query as a vector of the active space, or why there is none."""

    space_id: int = 0
    vector: Vector | None = None
    problem: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A chunk that one worker holds the lease of, with the text to embed.

    Where that is a window around a short message, `alone` is the message itself.
    """

    chunk_id: int
    text: str
    alone: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim took: jobs under one lease, and how many equal texts lent their vector."""

    lease: UUID
    jobs: Sequence[Job]
    reused: int

    @property
    def taken(self) -> int:
        """How many chunks were due."""
        return len(self.jobs) + self.reused


@dataclass(frozen=True, slots=True)
class Comparison:
    """One query asked in two spaces: how many of the best ten chunks they have in common."""

    query: str
    common: int
    found: int
