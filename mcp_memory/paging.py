"""Pages of a list, and the opaque cursors that say where in its order the next one starts."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar, cast

from mcp_memory.errors import InvalidInput

Row = TypeVar("Row")
Part = str | int | float


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows of a list; `next_cursor` is empty after the last page."""

    rows: Sequence[Row]
    next_cursor: str = ""

    @classmethod
    def of(
        cls, rows: Sequence[Row], limit: int, kind: str, position: Callable[[Row], Sequence[Part]]
    ) -> "Page[Row]":
        """The first `limit` of rows that were read one beyond it.

        The next page begins behind the `position` of the last row here.
        """
        if len(rows) <= limit:
            return cls(rows)
        return cls(rows[:limit], to_cursor(kind, *position(rows[limit - 1])))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)


def to_cursor(kind: str, *position: Part) -> str:
    """A cursor of this kind of list that `from_cursor` takes apart again."""
    text = json.dumps([kind, *position], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def from_cursor(kind: str, cursor: str) -> list[Part]:
    """The position; `InvalidInput` for anything that `to_cursor` did not make for this kind."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        decoded = cast("object", json.loads(base64.urlsafe_b64decode(padded.encode("ascii"))))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as exc:
        raise _not_ours() from exc
    if not isinstance(decoded, list):
        raise _not_ours()
    parts = cast("list[object]", decoded)
    if parts[:1] != [kind] or not all(_is_plain(part) for part in parts):
        raise _not_ours()
    return cast("list[Part]", parts[1:])


def instant_in_cursor(text: str) -> datetime:
    """The aware instant that a part of a cursor names; `InvalidInput` for anything else."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as exc:
        raise _not_ours() from exc
    if instant.tzinfo is None:
        raise _not_ours()
    return instant


def _is_plain(part: object) -> bool:
    return isinstance(part, str | int | float) and not isinstance(part, bool)


def _not_ours() -> InvalidInput:
    return InvalidInput("cursor", "pass the next_cursor of the page before, with the same filters")
