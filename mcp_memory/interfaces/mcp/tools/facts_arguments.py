"""The entities, relations and associations that a call gives, checked one by one."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.interfaces.mcp.tools.arguments import instant
from mcp_memory.memory.facts.model import (
    LINK_TYPES,
    Association,
    EntityReference,
    LinkType,
    RelationReference,
)

_TEXT: JsonValue = {"type": "string"}


def _list_of(required: Sequence[str], fields: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    item: dict[str, JsonValue] = {
        "type": "object",
        "properties": dict(fields),
        "required": list(required),
    }
    return {"type": "array", "items": item}


ENTITIES_SCHEMA = _list_of(
    ["name"],
    {"name": _TEXT, "type": _TEXT, "aliases": {"type": "array", "items": _TEXT}},
)
RELATIONS_SCHEMA = _list_of(
    ["subject", "relation", "object"],
    dict.fromkeys(("subject", "relation", "object", "valid_from", "valid_until"), _TEXT),
)
ASSOCIATIONS_SCHEMA = _list_of(
    ["target_id"],
    {"target_id": _TEXT, "relation_type": _TEXT},
)
# Said once, in the tool that stores; a model that changes one has seen it there.
LIKE_STORE_SCHEMA: dict[str, JsonValue] = {"type": "array", "items": {"type": "object"}}


def read_entities(values: Sequence[JsonValue]) -> tuple[EntityReference, ...]:
    """The entities; a bare text is a name."""
    entities: list[EntityReference] = []
    for index, entity in enumerate(values):
        fields = _fields(
            f"entities[{index}]",
            {"name": entity} if isinstance(entity, str) else entity,
            ("name", "type", "aliases"),
        )
        name = _require_text(f"entities[{index}]", fields, "name")
        kind = _text(f"entities[{index}]", fields, "type")
        entities.append(EntityReference(name, kind, _aliases(f"entities[{index}]", fields)))
    return tuple(entities)


def read_relations(config: Config, values: Sequence[JsonValue]) -> tuple[RelationReference, ...]:
    """The relations between entities."""
    names = ("subject", "relation", "object", "valid_from", "valid_until")
    relations: list[RelationReference] = []
    for number, relation in enumerate(values):
        path = f"relations[{number}]"
        fields = _fields(path, relation, names)
        start, end = (_text(path, fields, name) for name in ("valid_from", "valid_until"))
        relations.append(
            RelationReference(
                *(_require_text(path, fields, name) for name in names[:3]),
                valid_from=instant(config, f"{path}.valid_from", start),
                valid_until=instant(config, f"{path}.valid_until", end),
            )
        )
    return tuple(relations)


def read_associations(values: Sequence[JsonValue]) -> tuple[Association, ...]:
    """The relations to other memories; related_to when it is not said which."""
    associations: list[Association] = []
    for number, association in enumerate(values):
        path = f"associations[{number}]"
        fields = _fields(path, association, ("target_id", "relation_type"))
        target = _require_text(path, fields, "target_id")
        associations.append(Association(target, _link_type(path, fields)))
    return tuple(associations)


def _link_type(path: str, fields: Mapping[str, JsonValue]) -> LinkType:
    text = _text(path, fields, "relation_type") or "related_to"
    for link_type in LINK_TYPES:
        if text == link_type:
            return link_type
    hint = nearest(text, LINK_TYPES) or f" Known: {', '.join(LINK_TYPES)}."
    raise InvalidInput(f"{path}.relation_type", f"{text[:60]!r} is not known.{hint}")


def _fields(path: str, value: JsonValue, names: Sequence[str]) -> Mapping[str, JsonValue]:
    if not isinstance(value, dict):
        raise InvalidInput(path, f"use an object with {', '.join(names)}")
    for name in value:
        if name not in names:
            hint = nearest(name, names) or f" Known: {', '.join(names)}."
            raise InvalidInput(path, f"{name[:60]!r} is not known.{hint}")
    return value


def _text(path: str, fields: Mapping[str, JsonValue], name: str) -> str:
    match fields.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case bool() | dict() | list():
            raise InvalidInput(f"{path}.{name}", "use text")
        case number:
            return str(number)


def _require_text(path: str, fields: Mapping[str, JsonValue], name: str) -> str:
    text = _text(path, fields, name)
    if not text.strip():
        raise InvalidInput(f"{path}.{name}", "is required")
    return text


def _aliases(path: str, fields: Mapping[str, JsonValue]) -> tuple[str, ...]:
    aliases = fields.get("aliases")
    if aliases is None:
        return ()
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InvalidInput(f"{path}.aliases", 'use a list of text, such as ["one", "two"]')
    return tuple(cast("list[str]", aliases))
