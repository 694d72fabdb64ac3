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


def new_messages(config: Config, messages: Sequence[JsonValue]) -> list[NewMessage]:
    """The messages; `InvalidInput` naming the first field that cannot be used."""
    return [
        _new_message(config, f"messages[{index}]", message)
        for index, message in enumerate(messages)
    ]


def _new_message(config: Config, parameter: str, message: JsonValue) -> NewMessage:
    if not isinstance(message, dict):
        raise InvalidInput(parameter, "use an object with role and content")
    for name in message:
        if name not in _FIELDS:
            hint = nearest(name, _FIELDS) or f" Known: {', '.join(_FIELDS)}."
            raise InvalidInput(parameter, f"{name[:60]!r} is not known.{hint}")
    return NewMessage(
        role=_role(parameter, message),
        content=_text(parameter, message, "content"),
        id=_text(parameter, message, "id"),
        speaker=_text(parameter, message, "speaker"),
        created_at=_instant(config, parameter, message),
        metadata=_metadata(parameter, message),
    )


def _role(parameter: str, message: Mapping[str, JsonValue]) -> Role:
    for role in _ROLES:
        if message.get("role") == role:
            return role
    raise InvalidInput(f"{parameter}.role", f"use one of {', '.join(_ROLES)}")


def _text(parameter: str, message: Mapping[str, JsonValue], name: str) -> str:
    match message.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case int() as number if name == "id":
            return str(number)
        case _:
            raise InvalidInput(f"{parameter}.{name}", "use text")


def _instant(config: Config, parameter: str, message: Mapping[str, JsonValue]) -> datetime | None:
    return instant(config, f"{parameter}.created_at", _text(parameter, message, "created_at"))


def _metadata(parameter: str, message: Mapping[str, JsonValue]) -> dict[str, object]:
    metadata = message.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise InvalidInput(f"{parameter}.metadata", "use an object")
    return cast("dict[str, object]", metadata)
