"""Calls of tools as data, and how a recording makes them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool by an agent; `save` names what of its answer later calls refer to."""

    agent: str
    tool: str
    arguments: Mapping[str, object]
    save: Mapping[str, str] = field(default_factory=dict[str, str])
    pages: int = 1

    @property
    def label(self) -> str:
        """The call as a recording names it, the same in every run."""
        shown = json.dumps(self.arguments, ensure_ascii=True)
        return f"{self.agent} {self.tool} {shown if len(shown) < 400 else shown[:400] + '…'}"


def call(
    agent: str,
    tool: str,
    *,
    save: Mapping[str, str] | None = None,
    pages: int = 1,
    **arguments: object,
) -> Call:
    """A call; arguments like "$name" are what an earlier answer saved."""
    return Call(agent, tool, arguments, save or {}, pages)


def calls(
    agent: str, tool: str, variants: Sequence[Mapping[str, object]], **arguments: object
) -> list[Call]:
    """A call for each variant of the arguments."""
    return [Call(agent, tool, arguments | dict(variant)) for variant in variants]


def filled(value: object, saved: Mapping[str, str]) -> object:
    """The value with what was saved in the place of its names."""
    match value:
        case str() if value.startswith("$"):
            return saved[value[1:]]
        case list():
            return [filled(each, saved) for each in list[object](value)]  # pyright: ignore[reportUnknownArgumentType] a literal of ours
        case dict():
            return {str(k): filled(v, saved) for k, v in dict[object, object](value).items()}  # pyright: ignore[reportUnknownArgumentType] a literal of ours
        case _:
            return value
