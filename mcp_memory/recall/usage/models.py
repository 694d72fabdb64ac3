"""What is counted: who used which passage, how often and in what way."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Used:
    """A chunk in somebody's hands."""

    chunk_id: int
    agent: str


@dataclass(frozen=True, slots=True)
class Uses:
    """How often it stood in an answer, and how often it was read by its id."""

    returned: int = 0
    fetched: int = 0

    def __add__(self, other: "Uses") -> "Uses":
        return Uses(self.returned + other.returned, self.fetched + other.fetched)
