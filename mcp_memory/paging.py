"""Opaque cursors: where in an order the next page starts."""

import base64
import binascii
import json
from datetime import datetime
from typing import cast

from mcp_memory.errors import InvalidInput


def to_cursor(kind: str, *place: str | int | float) -> str:
    """A cursor of this kind of list that `from_cursor` takes apart again."""
    text = json.dumps([kind, *place], separators=(",", ":"), ensure_ascii=False)
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def from_cursor(kind: str, cursor: str) -> list[str | int | float]:
    """The place; `InvalidInput` for anything that `to_cursor` did not make for this kind."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        decoded = cast("object", json.loads(base64.urlsafe_b64decode(padded.encode("ascii"))))
    except (UnicodeError, binascii.Error, ValueError, RecursionError) as exc:
        raise _not_ours() from exc
    if not isinstance(decoded, list):
        raise _not_ours()
    place = cast("list[object]", decoded)
    if place[:1] != [kind] or not all(_is_plain(part) for part in place):
        raise _not_ours()
    return cast("list[str | int | float]", place[1:])


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
