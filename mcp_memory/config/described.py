"""Settings as a list for people: dotted key, value, and where the value came from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from mcp_memory.config.sources import Key


@dataclass(frozen=True, slots=True)
class Setting:
    """One value; `origin` is `default`, a file's path or a variable's name."""

    key: str
    value: object
    origin: str


def described(document: Mapping[str, object], origins: Mapping[Key, str]) -> list[Setting]:
    """The settings of a dumped configuration, in its own order."""
    return [
        Setting(".".join(key), value, origin_of(key, origins) or "default")
        for key, value in leaves(document)
    ]


def leaves(document: Mapping[str, object], above: Key = ()) -> Iterator[tuple[Key, object]]:
    """Every value that is not itself a group of values; an empty group counts as one."""
    for name, value in document.items():
        key = (*above, name)
        if isinstance(value, dict) and value:
            yield from leaves(cast("dict[str, object]", value), key)
        else:
            yield key, value


def origin_of(key: Key, origins: Mapping[Key, str]) -> str:
    """Who set this key or something inside it; empty when nobody did."""
    inside = (origin for other, origin in origins.items() if other[: len(key)] == key)
    return next(inside, "")
