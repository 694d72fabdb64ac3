"""Schemas of tools: no longer than a model needs, and one for all the actions of a tool."""

from collections.abc import Collection, Mapping, Sequence

from pydantic import JsonValue

Schema = dict[str, JsonValue]

_NULL: Schema = {"type": "null"}
# A text that holds for more actions than these, such as "Page size", stands without their names:
# all tools together may not cost a client more than 20,000 characters.
_MOST_LABELLED = 2


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


def flatten(
    selector: str, choice: Schema, actions: Mapping[str, Schema], common: Collection[str]
) -> Schema:
    """One object with the arguments of all actions, those that all have in common last.

    `choice` is the schema of the parameter that selects the action; only what every action needs
    is required. `TypeError` when an argument has not the same shape in all that take it.
    """
    uses: dict[str, dict[str, Schema]] = {}
    for action, schema in actions.items():
        for name, own in properties_of(schema).items():
            uses.setdefault(name, {})[action] = own
    properties: dict[str, JsonValue] = {selector: choice}
    for name in sorted(uses, key=lambda name: name in common):
        properties[name] = _union(name, uses[name], [*actions])
    needed = set[str].intersection(*map(list_required, actions.values()))
    return {
        "type": "object",
        "properties": properties,
        "required": [
            *([] if "default" in choice else [selector]),
            *(name for name in uses if name in needed),
        ],
        "additionalProperties": False,
    }


def _union(name: str, uses: Mapping[str, Schema], actions: Sequence[str]) -> Schema:
    """One parameter's schema for all the actions that take it."""
    shapes = [_without(schema, "description", "default") for schema in uses.values()]
    if any(shape != shapes[0] for shape in shapes):
        raise TypeError(f"{name} has not the same shape in {', '.join(uses)}")
    defaults = [schema["default"] for schema in uses.values() if "default" in schema]
    is_one_default = all(default == defaults[0] for default in defaults)
    described: dict[str, list[str]] = {}
    for action, schema in uses.items():
        text = str(schema.get("description", ""))
        if not is_one_default and "default" in schema:
            text = f"{text}; default: {schema['default']}".removeprefix("; ")
        described.setdefault(text, []).append(action)
    union = shapes[0] | {"description": _description(described, actions)}
    return union | {"default": defaults[0]} if defaults and is_one_default else union


def _description(described: Mapping[str, Sequence[str]], actions: Sequence[str]) -> str:
    """Each text after the actions that it is about; last what holds for many of them."""
    labelled: list[str] = []
    general: list[str] = []
    for text, users in described.items():
        is_general = len(users) == len(actions) or (text and len(users) > _MOST_LABELLED)
        label = "" if is_general else ", ".join(users)
        parts = general if is_general else labelled
        parts.append(": ".join(part for part in (label, text) if part))
    return "; ".join([*labelled, *general])


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}
