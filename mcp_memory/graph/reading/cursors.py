"""Where the next page of facts starts, and as of when it is read."""

from dataclasses import dataclass
from datetime import datetime

from mcp_memory.errors import InvalidInput
from mcp_memory.paging import from_cursor, instant_in_cursor, to_cursor

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
