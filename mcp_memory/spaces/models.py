"""What a vector space is, how full it is, and what is still to be embedded."""

from dataclasses import dataclass
from typing import Literal

State = Literal["filling", "active"]


@dataclass(frozen=True, slots=True)
class Space:
    """One model's vectors in one database; searches use the active one."""

    id: int
    provider: str
    model: str
    dimensions: int
    state: State

    @property
    def label(self) -> str:
        """Such as `minilm/all-MiniLM-L6-v2 (384)`."""
        return f"{self.provider}/{self.model} ({self.dimensions})"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """How full a space is: chunks with a vector, waiting for one, and set aside after failing."""

    space: Space
    vectors: int
    pending: int
    failed: int
    last_problem: str


@dataclass(frozen=True, slots=True)
class Job:
    """A chunk that one worker holds the lease of, with the text to embed."""

    chunk_id: int
    text: str
    attempts: int
