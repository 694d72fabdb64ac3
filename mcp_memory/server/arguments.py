"""Arguments of a call, checked before the tool runs, with complaints a model can act on."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.server.json_input import parsed_json
from mcp_memory.server.schemas import Schema, properties_of, required_of

_SHOWN_LENGTH = 60


def checked_arguments(
    model: type[ArgModelBase], schema: Schema, given: Mapping[str, JsonValue]
) -> dict[str, object]:
    """The tool's arguments by name; `InvalidInput` naming the first that cannot be used.

    A null stands for "left out". Lists and objects may come as JSON text, numbers and booleans as
    text, as some clients send them.
    """
    properties = properties_of(schema)
    _refuse_unknown(given, properties)
    optional = properties.keys() - required_of(schema)
    arguments = {
        name: _parsed(value, properties[name])
        for name, value in given.items()
        if value is not None or name not in optional
    }
    # After the JSON text was read: an escape in it may stand for what cannot be stored.
    _refuse_unstorable(arguments)
    try:
        return model.model_validate(arguments).model_dump_one_level()
    except ValidationError as exc:
        raise _complaint(exc, properties) from exc


def _refuse_unknown(given: Mapping[str, JsonValue], known: Mapping[str, Schema]) -> None:
    for name in given:
        if name not in known:
            if not known:
                raise InvalidInput(_cut(name), "is not a parameter: this tool takes no arguments")
            hint = nearest(name, list(known)) or f" Known: {', '.join(known)}."
            raise InvalidInput(_cut(name), f"is not a parameter of this tool.{hint}")


def _refuse_unstorable(given: Mapping[str, JsonValue]) -> None:
    """No text with NUL or half a surrogate pair reaches a service."""
    for name, value in given.items():
        for text in _texts(value):
            if "\0" in text:
                raise InvalidInput(name, "holds a NUL byte, which cannot be stored")
            if not _is_encodable(text):
                raise InvalidInput(name, "holds half of a surrogate pair, which cannot be stored")


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text inside, keys too; a stack, since a client chooses the depth."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() as parts:
                waiting.extend(parts)
            case dict() as parts:
                waiting.extend(parts)
                waiting.extend(parts.values())
            case _:
                pass


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parsed(value: JsonValue, schema: Schema) -> JsonValue:
    """The list or object that a text holds, where one is expected."""
    if not isinstance(value, str) or schema.get("type") not in ("array", "object"):
        return value
    try:
        return parsed_json(value)
    except (ValueError, RecursionError):
        return value


def _complaint(exc: ValidationError, properties: Mapping[str, Schema]) -> InvalidInput:
    """One complaint for all the parameters that cannot be used."""
    problems: dict[str, str] = {}
    for error in exc.errors(include_url=False):
        name = str(error["loc"][0]) if error["loc"] else "arguments"
        problems.setdefault(name, _problem(error, properties.get(name, {})))
    (first, problem), *others = problems.items()
    return InvalidInput(first, "; ".join([problem, *(f"{name}: {text}" for name, text in others)]))


def _problem(error: ErrorDetails, schema: Schema) -> str:
    if error["type"] == "missing":
        return "is required"
    choices = _choices(schema) or _expected(error)
    allowed = _one_of(schema, choices) if choices else _allowed(schema)
    given = cast("object", error["input"])
    if "text" in allowed.split() or isinstance(given, dict | list):
        return f"cannot be used; {allowed}"
    hint = nearest(given, choices) if isinstance(given, str) else ""
    return f"{_shown(given)} cannot be used; {allowed}{'.' if hint else ''}{hint}"


def _one_of(schema: Schema, choices: Sequence[str]) -> str:
    named = ", ".join(repr(choice) for choice in choices)
    return f"use a list of {named}" if schema.get("type") == "array" else f"use {named}"


def _expected(error: ErrorDetails) -> list[str]:
    """The choices that a schema is silent about where another tool's has them."""
    if error["type"] != "literal_error":
        return []
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def _allowed(schema: Schema) -> str:
    """What the parameter takes, in words."""
    match schema.get("type"):
        case "integer":
            return f"use a whole number{_bounds(schema)}"
        case "number":
            return f"use a number{_bounds(schema)}"
        case "boolean":
            return "use true or false"
        case "array" if (keys := _item_keys(schema)) is not None:
            return f"use a list of objects{keys}"
        case "array":
            return 'use a list of text, such as ["one", "two"]'
        case "object":
            # Which keys it has is in the words that describe it.
            described = schema.get("description")
            told = f" ({described})" if isinstance(described, str) else ""
            return f'use an object of text, such as {{"name": "value"}}{told}'
        case _:
            return "use text"


def _choices(schema: Schema) -> list[str]:
    items = schema.get("items")
    source = items if isinstance(items, dict) else schema
    match source.get("enum"), source.get("const"):
        case list() as choices, _:
            return [str(choice) for choice in choices]
        case _, str() as choice:
            return [choice]
        case _:
            return []


def _item_keys(schema: Schema) -> str | None:
    """Which keys the objects of a list have, in words; None for a list of something else."""
    items = schema.get("items")
    if not isinstance(items, dict) or items.get("type") != "object":
        return None
    keys = items.get("properties")
    return f" with {', '.join(keys)}" if isinstance(keys, dict) else ""


def _bounds(schema: Schema) -> str:
    lowest, highest = schema.get("minimum"), schema.get("maximum")
    if lowest is not None and highest is not None:
        return f" from {lowest} to {highest}"
    words = {
        "minimum": "of at least",
        "exclusiveMinimum": "above",
        "maximum": "of at most",
        "exclusiveMaximum": "below",
    }
    told = [f"{words[key]} {schema[key]}" for key in words if key in schema]
    return f" {' and '.join(told)}" if told else ""


def _shown(given: object) -> str:
    return repr(_cut(given)) if isinstance(given, str) else _cut(str(given))


def _cut(text: str) -> str:
    shown = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
    # Half of a surrogate pair could not be sent back.
    return shown.encode(errors="replace").decode()
