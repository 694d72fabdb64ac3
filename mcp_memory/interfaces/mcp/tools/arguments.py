"""Arguments of a call, checked before the tool runs, with complaints a model can act on."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from typing import cast

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase
from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from mcp_memory.errors import InvalidInput, nearest

Schema = dict[str, JsonValue]

_NULL: Schema = {"type": "null"}


def slim(schema: Schema) -> Schema:
    """The schema without what tells a model nothing."""
    kept = {key: _slim_value(value) for key, value in schema.items() if not _is_noise(key, value)}
    branches = kept.get("anyOf")
    if isinstance(branches, list) and _NULL in branches:
        return _merge(kept, [branch for branch in branches if branch != _NULL])
    return kept


def properties_of(schema: Schema) -> dict[str, Schema]:
    """Each parameter's own schema."""
    properties = schema.get("properties")
    items = properties.items() if isinstance(properties, dict) else ()
    return {name: value for name, value in items if isinstance(value, dict)}


def list_required(schema: Schema) -> set[str]:
    """The names of the parameters that a call must have."""
    required = schema.get("required")
    return {str(name) for name in required} if isinstance(required, list) else set()


def _slim_value(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return slim(value)
        case list():
            return [_slim_value(part) for part in value]
        case _:
            return value


def _is_noise(key: str, value: JsonValue) -> bool:
    """A parameter may be called title or default: then the value is a schema, not a text."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, ""))


def _merge(schema: Schema, branches: list[JsonValue]) -> Schema:
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    match branches:
        case [dict() as only]:
            return {**only, **rest}
        case _:
            return {**rest, "anyOf": branches}


def parse_json(text: str | bytes) -> JsonValue:
    """The value; `ValueError` for what is no JSON, NaN and infinite numbers included."""
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    return cast("JsonValue", value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("a number is too large")
    return number


_SHOWN_LENGTH = 60


def check_arguments(
    model: type[ArgModelBase], schema: Schema, arguments: Mapping[str, JsonValue]
) -> dict[str, object]:
    """The tool's arguments by name; `InvalidInput` naming the first that cannot be used.

    Where a parameter may be left out, a neutral value stands for that.
    """
    properties, required = properties_of(schema), list_required(schema)
    values = {
        name: value
        for name, value in parse_arguments(properties, arguments).items()
        if name in required or not is_neutral(value, properties[name])
    }
    try:
        return model.model_validate(values).model_dump_one_level()
    except ValidationError as exc:
        raise complaint(exc, properties) from exc


def parse_arguments(
    properties: Mapping[str, Schema], arguments: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """The arguments, with lists and objects read where they came as JSON text, as some clients
    send them; `InvalidInput` for a name that is none and for text that cannot be stored."""
    _refuse_unknown(arguments, properties)
    values = {name: _parse(value, properties[name]) for name, value in arguments.items()}
    # After the JSON text was read: an escape in it may stand for what cannot be stored.
    _refuse_unstorable(values)
    return values


def is_neutral(value: JsonValue, schema: Schema) -> bool:
    """Whether the value stands for "left out": strict clients send every parameter.

    Nothing, an empty text, list or object, the default, and 0 where 0 is not allowed.
    """
    if value in (None, "", [], {}) or value == schema.get("default"):
        return True
    return value in (0, "0") and not _takes_zero(schema)


def _takes_zero(schema: Schema) -> bool:
    lowest, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    return not (
        (isinstance(lowest, int | float) and lowest > 0)
        or (isinstance(above, int | float) and above >= 0)
    )


def _refuse_unknown(arguments: Mapping[str, JsonValue], properties: Mapping[str, Schema]) -> None:
    for name in arguments:
        if name not in properties:
            if not properties:
                raise InvalidInput(_cut(name), "is not a parameter: this tool takes no arguments")
            hint = nearest(name, list(properties)) or f" Known: {', '.join(properties)}."
            raise InvalidInput(_cut(name), f"is not a parameter of this tool.{hint}")


def _refuse_unstorable(arguments: Mapping[str, JsonValue]) -> None:
    """No text with NUL or half a surrogate pair reaches a service."""
    for name, value in arguments.items():
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


def _parse(value: JsonValue, schema: Schema) -> JsonValue:
    """The list or object that a text holds, where one is expected."""
    if not isinstance(value, str) or schema.get("type") not in ("array", "object"):
        return value
    try:
        return parse_json(value)
    except (ValueError, RecursionError):
        return value


def complaint(
    exc: ValidationError, properties: Mapping[str, Schema], *, action: str = ""
) -> InvalidInput:
    """One complaint for all the parameters that the tool, or its action, cannot use."""
    problems: dict[str, str] = {}
    for error in exc.errors(include_url=False):
        name = str(error["loc"][0]) if error["loc"] else "arguments"
        problems.setdefault(name, _problem(error, properties.get(name, {}), action))
    return one_complaint(problems)


def one_complaint(problems: Mapping[str, str]) -> InvalidInput:
    """The error that tells each parameter's problem."""
    (first, problem), *others = problems.items()
    return InvalidInput(first, "; ".join([problem, *(f"{name}: {text}" for name, text in others)]))


def unknown_choice(name: str, value: JsonValue, schema: Schema) -> InvalidInput:
    """The error for a value that is none of the schema's choices."""
    return InvalidInput(name, _unusable(value, schema, _choices(schema)))


def _problem(error: ErrorDetails, schema: Schema, action: str) -> str:
    if error["type"] == "missing":
        return f"is required for {action}" if action else "is required"
    choices = _choices(schema) or _choices_in_error(error)
    return _unusable(cast("object", error["input"]), schema, choices)


def _unusable(value: object, schema: Schema, choices: Sequence[str]) -> str:
    allowed = _one_of(schema, choices) if choices else _describe_allowed(schema)
    if "text" in allowed.split() or isinstance(value, dict | list):
        return f"cannot be used; {allowed}"
    hint = nearest(value, choices) if isinstance(value, str) else ""
    return f"{_show(value)} cannot be used; {allowed}{'.' if hint else ''}{hint}"


def _one_of(schema: Schema, choices: Sequence[str]) -> str:
    named = ", ".join(repr(choice) for choice in choices)
    return f"use a list of {named}" if schema.get("type") == "array" else f"use {named}"


def _choices_in_error(error: ErrorDetails) -> list[str]:
    """The choices that a schema is silent about where another tool's has them."""
    if error["type"] != "literal_error":
        return []
    return re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", "")))


def _describe_allowed(schema: Schema) -> str:
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
            keys = f" ({described})" if isinstance(described, str) else ""
            return f'use an object of text, such as {{"name": "value"}}{keys}'
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
    bounds = [f"{words[key]} {schema[key]}" for key in words if key in schema]
    return f" {' and '.join(bounds)}" if bounds else ""


def _show(value: object) -> str:
    return repr(_cut(value)) if isinstance(value, str) else _cut(str(value))


def _cut(text: str) -> str:
    shown = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
    # Half of a surrogate pair could not be sent back.
    return shown.encode(errors="replace").decode()
