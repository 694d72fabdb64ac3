"""Writes the table of docs/settings.md from the models: `python -m tests.settings_docs`.

Keys, defaults and values come from the models. What a setting means is kept from the page.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Annotated, Literal, cast, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mcp_memory.config import Config, DatabaseUrl, Secret, WebUrl

PAGE = Path(__file__).parents[1] / "docs/settings.md"

_HEAD = "| key | default | values | meaning |\n|---|---|---|---|\n"
_ROW = re.compile(r"^\| `([a-z_.<>]+)` \|.*\| (.*?) \|$", re.MULTILINE)
# What stands in a key for a name that the user chooses, by the setting that holds the names.
_CHOSEN_NAMES = {"databases": "<name>", "wake_routes": "<agent>", "retention": "<source>"}
# Defaults that are worked out at the start, or have a word of their own.
_OWN_WORDS: dict[str, object] = {"databases.<name>.url": "derived", "toolsets": "all"}
_TYPES: dict[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a folder",
    Secret: "a secret",
    DatabaseUrl: "an address",
    WebUrl: "an address",
}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting as the models have it, in the words of the page."""

    key: str
    default: str
    values: str


def setting_rows(model: type[BaseModel] = Config, prefix: str = "") -> Iterator[SettingRow]:
    """Every setting below a model, in the order of the models."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        kind = _plain(field.annotation)
        if get_origin(kind) is dict:
            below = cast("type[BaseModel]", get_args(kind)[1])
            yield from setting_rows(below, f"{key}.{_CHOSEN_NAMES[name]}.")
        elif (section := _section(kind)) is not None:
            yield from setting_rows(section, f"{key}.")
        else:
            yield SettingRow(key, _default(key, field), _values(kind, field.metadata))


def rewritten(page: str) -> str:
    """The page with the table that the models make, and the meanings that it has."""
    meanings = dict(cast("list[tuple[str, str]]", _ROW.findall(page)))
    rows = (
        f"| `{row.key}` | {row.default} | {row.values} | {meanings.get(row.key, '')} |\n"
        for row in setting_rows()
    )
    return page[: page.index(_HEAD)] + _HEAD + "".join(rows)


def meanings_missing(page: str) -> list[str]:
    """The settings whose meaning nobody has written."""
    return [
        key for key, meaning in cast("list[tuple[str, str]]", _ROW.findall(page)) if not meaning
    ]


def _section(kind: object) -> type[BaseModel] | None:
    """The group of settings that a type is, if it is one."""
    if isinstance(kind, type) and issubclass(cast("type[object]", kind), BaseModel):
        return cast("type[BaseModel]", kind)
    return None


def _default(key: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = _OWN_WORDS.get(key, cast("object", field.get_default(call_default_factory=True)))
    match value:
        case None:
            return "none"
        case "" | ():
            return "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:.15g}"
        case tuple():
            return f"`{json.dumps(value)}`"
        case _:
            return f"`{value}`" if key not in _OWN_WORDS else str(value)


def _values(kind: object, limits: Sequence[object]) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    if get_origin(kind) is tuple:
        (element, _) = cast("tuple[object, object]", get_args(kind))
        return f"a list of {_element(element)}"
    words = [_TYPES[kind]]
    for limit in limits:
        match limit:
            case Ge(ge=least):
                words.append(f"at least {least}")
            case Gt(gt=bound):
                words.append(f"above {bound}")
            case Le(le=most):
                words.append(f"at most {most}")
            case _:
                pass
    return ", ".join(words)


def _element(kind: object) -> str:
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    return "whole numbers" if _plain(kind) is int else "texts"


def _plain(kind: object) -> object:
    """The type without `| None` and without what Annotated adds."""
    if get_origin(kind) is Annotated:
        return _plain(get_args(kind)[0])
    parts = [part for part in get_args(kind) if part is not NoneType]
    return _plain(parts[0]) if NoneType in get_args(kind) else kind


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text("utf-8")), encoding="utf-8")
