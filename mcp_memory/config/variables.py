"""Which settings there are, and the variables for them: MCP_MEMORY_AGENT, MCP_MEMORY__SECTION__KEY.

The shape is read from the models: which keys exist, and which of them take text.
"""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from mcp_memory.config.models import Config
from mcp_memory.config.secret import Secret
from mcp_memory.config.values import Key
from mcp_memory.errors import ConfigError, nearest

FILE_VARIABLE = "MCP_MEMORY_CONFIG"
SHORT_VARIABLES: Mapping[str, Key] = {
    "MCP_MEMORY_DATABASE_URL": ("database", "url"),
    "MCP_MEMORY_AGENT": ("agent",),
    "MCP_MEMORY_DATA_DIR": ("embedded", "data_dir"),
    "MCP_MEMORY_MODEL_DIR": ("embeddings", "model_dir"),
    "MCP_MEMORY_LOG_LEVEL": ("log_level",),
}
_PREFIX = "MCP_MEMORY_"
_LONG_PREFIX = "MCP_MEMORY__"
_TEST_PREFIX = "MCP_MEMORY_TEST_"

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
class NamedGroups:
    """Groups of one shape under names that the user chooses."""

    placeholder: str
    below: "Shape"


Shape = Value | Group | NamedGroups


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
            case NamedGroups():
                shape = shape.below
            case Group() | Value():
                return None
    return shape


def setting_keys() -> list[str]:
    """Every dotted key, with a placeholder where the user chooses the name."""
    return list(_list_keys(outline()))


def _group(model: type[BaseModel]) -> Group:
    return Group(
        {name: _shape(name, field.annotation) for name, field in model.model_fields.items()}
    )


def _shape(name: str, annotation: object) -> Shape:
    plain = _plain(annotation)
    if get_origin(plain) is dict:
        return NamedGroups(_PLACEHOLDERS[name], _shape(name, get_args(plain)[1]))
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


def _list_keys(shape: Shape) -> Iterator[str]:
    """The keys below a shape; a value is its own, nameless, end."""
    match shape:
        case Value():
            yield ""
        case Group(keys):
            for name, below in keys.items():
                yield from (f"{name}.{key}".rstrip(".") for key in _list_keys(below))
        case NamedGroups(placeholder, below):
            yield from (f"{placeholder}.{key}".rstrip(".") for key in _list_keys(below))


@dataclass(frozen=True, slots=True)
class Assignment:
    """One setting with the variable that gives it."""

    key: Key
    value: object
    variable: str


def assignments(environ: Mapping[str, str], *, named: Collection[str]) -> list[Assignment]:
    """What the environment sets, groups before what is inside them.

    `named` are variables that a secret refers to: they may have any name.
    """
    settings = [_assignment(name, environ[name]) for name in _ours(environ, named)]
    settings.sort(key=lambda assignment: len(assignment.key))
    _refuse_two_names(settings)
    return settings


def _ours(environ: Mapping[str, str], named: Collection[str]) -> Iterator[str]:
    for name in sorted(environ):
        is_ours = name.startswith(_PREFIX) and not name.startswith(_TEST_PREFIX)
        if is_ours and name != FILE_VARIABLE and name not in named:
            yield name


def _assignment(variable: str, text: str) -> Assignment:
    key = SHORT_VARIABLES.get(variable) or _long_key(variable)
    if key is None:
        variables = list_variables()
        hint = (
            nearest(variable, variables)
            or f" Known: {', '.join([*SHORT_VARIABLES, _LONG_PREFIX])}…"
        )
        raise ConfigError(f"is not a known variable.{hint}", key=variable, origin="the environment")
    return Assignment(key, _value(key, text, variable), variable)


def list_variables() -> list[str]:
    """Every variable that means something, with placeholders for chosen names."""
    long = [_LONG_PREFIX + key.replace(".", "__").upper() for key in setting_keys()]
    return [FILE_VARIABLE, *SHORT_VARIABLES, *long]


def _long_key(variable: str) -> Key | None:
    """The key of MCP_MEMORY__SECTION__KEY, or None when there is no such setting.

    A name the user chooses keeps its case when it has any lower-case letter: an agent may be
    called `Bob`, and variables are usually written in capitals.
    """
    if not variable.startswith(_LONG_PREFIX):
        return None
    key: Key = ()
    for part in variable.removeprefix(_LONG_PREFIX).split("__"):
        is_chosen = isinstance(shape_at(key), NamedGroups)
        key = (*key, part.lower() if part.isupper() or not is_chosen else part)
    return key if shape_at(key) is not None and all(key) else None


def _value(key: Key, text: str, variable: str) -> object:
    dotted = ".".join(key)
    if not text:
        raise ConfigError("is empty: give it a value, or unset it", key=dotted, origin=variable)
    if not _is_utf8(text):
        raise ConfigError("is not UTF-8 text", key=dotted, origin=variable)
    match shape_at(key):
        case Value(takes_text=True, is_secret=is_secret):
            return _reference(text) if is_secret else text
        case shape:
            return _json(text, dotted, variable, is_group=isinstance(shape, Group | NamedGroups))


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _reference(text: str) -> object:
    """A secret as it is, or the {"env": …} or {"file": …} it is written as."""
    if not text.startswith("{"):
        return text
    try:
        return cast("object", json.loads(text))
    except ValueError:
        return text


def _json(text: str, dotted: str, variable: str, *, is_group: bool) -> object:
    try:
        value = cast("object", json.loads(text))
    except ValueError as exc:
        expected = "a JSON object" if is_group else 'JSON: true, 5, ["a"]'
        raise ConfigError(f"must be {expected}", key=dotted, origin=variable) from exc
    return value


def _refuse_two_names(settings: list[Assignment]) -> None:
    """Two variables for one setting: neither may win silently."""
    first: dict[Key, str] = {}
    for assignment in settings:
        if assignment.key in first:
            raise ConfigError(
                f"is also set by {first[assignment.key]}: unset one of them",
                key=".".join(assignment.key),
                origin=assignment.variable,
            )
        first[assignment.key] = assignment.variable
