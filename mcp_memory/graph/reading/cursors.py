"""Where the next page of memories starts, and as of when it is read."""

from dataclasses import dataclass
from datetime import datetime

from mcp_memory.errors import InvalidInput
from mcp_memory.paging import from_cursor, instant_in_cursor, to_cursor

_KIND = "memories"


@dataclass(frozen=True, slots=True)
class Position:
    """The row listed last (what it is sorted by, memory, version), and the first page's instants.

    All pages show what was known at the first: nothing moves while others write.
    """

    after: tuple[float, int, int]
    as_of: datetime
    known_at: datetime


def write_position(mode: str, place: Position) -> str:
    """The cursor of a place in a list of this mode."""
    instants = place.as_of.isoformat(), place.known_at.isoformat()
    return to_cursor(_KIND, mode, *place.after, *instants)


def read_position(mode: str, cursor: str) -> Position:
    """The place; `InvalidInput` for what `to_place` did not make for this mode."""
    match from_cursor(_KIND, cursor):
        case [
            str() as of_mode,
            float() | int() as place,
            int() as memory,
            int() as version,
            str() as as_of,
            str() as known_at,
        ] if of_mode == mode and _are_small(memory, version):
            instants = instant_in_cursor(as_of), instant_in_cursor(known_at)
            return Position((float(place), memory, version), *instants)
        case _:
            raise _foreign_cursor()


def _are_small(memory: int, version: int) -> bool:
    return 0 <= memory < 2**63 and 0 <= version < 2**31


def _foreign_cursor() -> InvalidInput:
    return InvalidInput("cursor", "pass the next_cursor of the page before, with the same filters")
