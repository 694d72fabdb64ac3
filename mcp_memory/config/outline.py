"""The shape of the settings, read from the models: which keys exist, and which take text."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from mcp_memory.config.models import Config
from mcp_memory.config.secret import Secret
from mcp_memory.config.sources import Key

# What stands for the freely chosen names of a group, in documentation and hints.
_PLACEHOLDERS = {"databases": "<name>", "wake_routes": "<agent>", "retention": "<source>"}


@dataclass(frozen=True, slots=True)
class Value:
    """A single setting; `takes_text` when a variable's text is the value, not JSON."""

    takes_text: bool
    is_secret: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Settings under fixed names."""

    keys: Mapping[str, "Shape"]


@dataclass(frozen=True, slots=True)
class Named:
    """Groups of one shape under names that the user chooses."""

    placeholder: str
    each: "Shape"


Shape = Value | Group | Named


def outline() -> Group:
    """The shape of the whole configuration."""
    return _group(Config)


def shape_at(key: Key) -> Shape | None:
    """What stands at a key, or None when there is no such key."""
    shape: Shape = outline()
    for name in key:
        match shape:
            case Group() if name in shape.keys:
                shape = shape.keys[name]
            case Named():
                shape = shape.each
            case Group() | Value():
                return None
    return shape


def setting_keys() -> list[str]:
    """Every dotted key, with a placeholder where the user chooses the name."""
    return list(_dotted(outline()))


def _group(model: type[BaseModel]) -> Group:
    return Group(
        {name: _shape(name, field.annotation) for name, field in model.model_fields.items()}
    )


def _shape(name: str, annotation: object) -> Shape:
    plain = _plain(annotation)
    if get_origin(plain) is dict:
        return Named(_PLACEHOLDERS[name], _shape(name, get_args(plain)[1]))
    if not isinstance(plain, type):
        return Value(takes_text=get_origin(plain) is Literal, is_secret=False)
    kind = cast("type[object]", plain)
    if issubclass(kind, BaseModel):
        return _group(kind)
    return Value(issubclass(kind, str | Path | Secret), issubclass(kind, Secret))


def _plain(annotation: object) -> object:
    """The type without `| None` and without Annotated's extras."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        (only,) = [part for part in get_args(annotation) if part is not NoneType]
        return _plain(only)
    return annotation


def _dotted(shape: Shape) -> Iterator[str]:
    """The keys below a shape; a value is its own, nameless, end."""
    match shape:
        case Value():
            yield ""
        case Group(keys):
            for name, below in keys.items():
                yield from (f"{name}.{key}".rstrip(".") for key in _dotted(below))
        case Named(placeholder, each):
            yield from (f"{placeholder}.{key}".rstrip(".") for key in _dotted(each))
