"""The messages that a call gives to append, checked one by one."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast, get_args

from pydantic import JsonValue

from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.server.instants import instant
from mcp_memory.transcripts.models import NewMessage, Role

_TEXT: JsonValue = {"type": "string"}
MESSAGES_SCHEMA: dict[str, JsonValue] = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "role": {"type": "string", "enum": list(get_args(Role))},
            "content": _TEXT,
            "id": _TEXT,
            "speaker": _TEXT,
            "created_at": _TEXT,
            "metadata": {"type": "object"},
        },
        "required": ["role", "content"],
        "additionalProperties": False,
    },
}
_FIELDS = ("role", "content", "id", "speaker", "created_at", "metadata")
_ROLES: tuple[Role, ...] = get_args(Role)


def new_messages(config: Config, given: Sequence[JsonValue]) -> list[NewMessage]:
    """The messages; `InvalidInput` naming the first field that cannot be used."""
    return [
        _new_message(config, f"messages[{place}]", message) for place, message in enumerate(given)
    ]


def _new_message(config: Config, place: str, given: JsonValue) -> NewMessage:
    if not isinstance(given, dict):
        raise InvalidInput(place, "use an object with role and content")
    for name in given:
        if name not in _FIELDS:
            hint = nearest(name, _FIELDS) or f" Known: {', '.join(_FIELDS)}."
            raise InvalidInput(place, f"{name[:60]!r} is not known.{hint}")
    return NewMessage(
        role=_role(place, given),
        content=_text(place, given, "content"),
        id=_text(place, given, "id"),
        speaker=_text(place, given, "speaker"),
        created_at=_instant(config, place, given),
        metadata=_metadata(place, given),
    )


def _role(place: str, given: Mapping[str, JsonValue]) -> Role:
    for role in _ROLES:
        if given.get("role") == role:
            return role
    raise InvalidInput(f"{place}.role", f"use one of {', '.join(_ROLES)}")


def _text(place: str, given: Mapping[str, JsonValue], name: str) -> str:
    match given.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case int() as number if name == "id":
            return str(number)
        case _:
            raise InvalidInput(f"{place}.{name}", "use text")


def _instant(config: Config, place: str, given: Mapping[str, JsonValue]) -> datetime | None:
    return instant(config, f"{place}.created_at", _text(place, given, "created_at"))


def _metadata(place: str, given: Mapping[str, JsonValue]) -> dict[str, object]:
    metadata = given.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise InvalidInput(f"{place}.metadata", "use an object")
    return cast("dict[str, object]", metadata)
