"""Input schemas as models read them: no titles, no null branches, no empty defaults."""

from pydantic import JsonValue

Schema = dict[str, JsonValue]

_NULL: Schema = {"type": "null"}


def slim(schema: Schema) -> Schema:
    """The schema without what tells a model nothing."""
    kept = {key: _slimmed(value) for key, value in schema.items() if not _is_noise(key, value)}
    branches = kept.get("anyOf")
    if isinstance(branches, list) and _NULL in branches:
        return _merged(kept, [branch for branch in branches if branch != _NULL])
    return kept


def properties_of(schema: Schema) -> dict[str, Schema]:
    """Each parameter's own schema."""
    properties = schema.get("properties")
    items = properties.items() if isinstance(properties, dict) else ()
    return {name: value for name, value in items if isinstance(value, dict)}


def required_of(schema: Schema) -> set[str]:
    """The names of the parameters that a call must have."""
    required = schema.get("required")
    return {str(name) for name in required} if isinstance(required, list) else set()


def _slimmed(value: JsonValue) -> JsonValue:
    match value:
        case dict():
            return slim(value)
        case list():
            return [_slimmed(part) for part in value]
        case _:
            return value


def _is_noise(key: str, value: JsonValue) -> bool:
    """A parameter may be called title or default: then the value is a schema, not a text."""
    return (key == "title" and isinstance(value, str)) or (key == "default" and value in (None, ""))


def _merged(schema: Schema, branches: list[JsonValue]) -> Schema:
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    match branches:
        case [dict() as only]:
            return {**only, **rest}
        case _:
            return {**rest, "anyOf": branches}
