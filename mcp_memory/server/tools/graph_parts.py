"""The entities, relations and associations that a call gives, checked one by one."""

from collections.abc import Mapping, Sequence
from typing import cast

from pydantic import JsonValue

from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput, nearest
from mcp_memory.graph.models import (
    LINK_TYPES,
    Association,
    EntityReference,
    LinkType,
    RelationReference,
)
from mcp_memory.server.instants import instant

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


def read_entities(given: Sequence[JsonValue]) -> tuple[EntityReference, ...]:
    """The entities; a bare text is a name."""
    found: list[EntityReference] = []
    for place, entity in enumerate(given):
        fields = _fields(
            f"entities[{place}]",
            {"name": entity} if isinstance(entity, str) else entity,
            ("name", "type", "aliases"),
        )
        name = _required(f"entities[{place}]", fields, "name")
        kind = _text(f"entities[{place}]", fields, "type")
        found.append(EntityReference(name, kind, _aliases(f"entities[{place}]", fields)))
    return tuple(found)


def read_relations(config: Config, given: Sequence[JsonValue]) -> tuple[RelationReference, ...]:
    """The relations between entities."""
    known = ("subject", "relation", "object", "valid_from", "valid_until")
    found: list[RelationReference] = []
    for number, relation in enumerate(given):
        place = f"relations[{number}]"
        fields = _fields(place, relation, known)
        start, end = (_text(place, fields, name) for name in ("valid_from", "valid_until"))
        found.append(
            RelationReference(
                *(_required(place, fields, name) for name in known[:3]),
                valid_from=instant(config, f"{place}.valid_from", start),
                valid_until=instant(config, f"{place}.valid_until", end),
            )
        )
    return tuple(found)


def read_associations(given: Sequence[JsonValue]) -> tuple[Association, ...]:
    """The relations to other memories; related_to when it is not said which."""
    found: list[Association] = []
    for number, association in enumerate(given):
        place = f"associations[{number}]"
        fields = _fields(place, association, ("target_id", "relation_type"))
        target = _required(place, fields, "target_id")
        found.append(Association(target, _link_type(place, fields)))
    return tuple(found)


def _link_type(place: str, fields: Mapping[str, JsonValue]) -> LinkType:
    wanted = _text(place, fields, "relation_type") or "related_to"
    for known in LINK_TYPES:
        if wanted == known:
            return known
    hint = nearest(wanted, LINK_TYPES) or f" Known: {', '.join(LINK_TYPES)}."
    raise InvalidInput(f"{place}.relation_type", f"{wanted[:60]!r} is not known.{hint}")


def _fields(place: str, given: JsonValue, known: Sequence[str]) -> Mapping[str, JsonValue]:
    if not isinstance(given, dict):
        raise InvalidInput(place, f"use an object with {', '.join(known)}")
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f" Known: {', '.join(known)}."
            raise InvalidInput(place, f"{name[:60]!r} is not known.{hint}")
    return given


def _text(place: str, fields: Mapping[str, JsonValue], name: str) -> str:
    match fields.get(name):
        case None:
            return ""
        case str() as text:
            return text
        case bool() | dict() | list():
            raise InvalidInput(f"{place}.{name}", "use text")
        case number:
            return str(number)


def _required(place: str, fields: Mapping[str, JsonValue], name: str) -> str:
    text = _text(place, fields, name)
    if not text.strip():
        raise InvalidInput(f"{place}.{name}", "is required")
    return text


def _aliases(place: str, fields: Mapping[str, JsonValue]) -> tuple[str, ...]:
    aliases = fields.get("aliases")
    if aliases is None:
        return ()
    if not isinstance(aliases, list) or not all(isinstance(alias, str) for alias in aliases):
        raise InvalidInput(f"{place}.aliases", 'use a list of text, such as ["one", "two"]')
    return tuple(cast("list[str]", aliases))
