"""What a caller is told of arguments that cannot be used, in words that a model can act on."""

import re
from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.interfaces.mcp.tools.schemas import Schema

_SHOWN_LENGTH = 60


def unknown_parameter(name: str, known: Sequence[str]) -> InvalidInput:
    """The error for an argument that is no parameter."""
    if not known:
        return InvalidInput(_cut(name), "is not a parameter: this tool takes no arguments")
    hint = nearest(name, known) or f" Known: {', '.join(known)}."
    return InvalidInput(_cut(name), f"is not a parameter of this tool.{hint}")


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
