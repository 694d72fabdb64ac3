"""Tools with actions: one small model an action, and the flat schema that clients need of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Self, TypeVar, cast

from mcp_types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.caller import Caller
from mcp_memory.interfaces.mcp.tools.arguments import (
    Schema,
    complaint,
    is_neutral,
    list_required,
    one_complaint,
    parse_arguments,
    properties_of,
    slim,
    unknown_choice,
)
from mcp_memory.interfaces.mcp.tools.parameters import DatabaseName
from mcp_memory.interfaces.mcp.tools.tool import Answer, Call, MemoryTool
from mcp_memory.memory.keys import Scope
from mcp_memory.postgres.session import Session


class ActionArguments(BaseModel):
    """What every action takes; each adds its own fields, and mixins those that several take."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    database: DatabaseName = ""


Model = TypeVar("Model", bound=ActionArguments)
OpenSession = Callable[[str, str | None], Session]
Handler = Callable[[Session, ActionArguments], Awaitable[Answer]]
# A text that holds for more actions than these, such as "Page size", stands without their names:
# all tools together may not cost a client more than 20,000 characters.
_MOST_LABELLED = 2

Models = tuple[tuple[str, type[ActionArguments]], ...]


@dataclass(frozen=True, slots=True)
class Action:
    """One action: what it takes, the scope that it needs and what answers it."""

    name: str
    arguments: type[ActionArguments]
    scope: Scope
    handler: Handler

    @classmethod
    def of(
        cls,
        name: str,
        arguments: type[Model],
        scope: Scope,
        handler: Callable[[Session, Model], Awaitable[Answer]],
    ) -> Self:
        """An action whose handler takes the arguments of just this model."""
        return cls(name, arguments, scope, cast("Handler", handler))


@dataclass(frozen=True, slots=True)
class Selector:
    """The parameter that selects the action. Without a default every call has to give it."""

    name: str = "action"
    description: str = "See above"
    default: str = ""

    def schema(self, actions: Sequence[str]) -> Schema:
        """Its own schema, for these actions."""
        schema: Schema = {"type": "string", "enum": [*actions], "description": self.description}
        return schema | {"default": self.default} if self.default else schema


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions of one tool: their flat schema, and the action that a call's arguments mean."""

    selector: Selector
    by_name: Mapping[str, Action]
    schema: Schema
    schemas: Mapping[str, Mapping[str, Schema]] = field(repr=False)

    @classmethod
    def of(cls, actions: Sequence[Action], selector: Selector | None = None) -> Self:
        """Several actions, in the order in which they are listed; without a selector `action`."""
        selector = selector or Selector()
        models = tuple((action.name, action.arguments) for action in actions)
        return cls(
            selector=selector,
            by_name={action.name: action for action in actions},
            schema=_flat_schema(selector, models),
            schemas={name: _properties(model) for name, model in models},
        )

    def read(self, arguments: Mapping[str, JsonValue]) -> tuple[Action, ActionArguments]:
        """The action and its arguments; `InvalidInput` naming what it does not take or lacks."""
        values = parse_arguments(properties_of(self.schema), arguments)
        action = self._select(values.pop(self.selector.name, None))
        self._refuse_of_others(action.name, values)
        own = self.schemas[action.name]
        meant = {n: v for n, v in values.items() if n in own and not is_neutral(v, own[n])}
        try:
            return action, action.arguments.model_validate(meant)
        except ValidationError as exc:
            raise complaint(exc, own, action=action.name) from exc

    def _select(self, value: JsonValue) -> Action:
        name = self.selector.default if value in (None, "") else value
        if name == "":
            raise InvalidInput(self.selector.name, "is required")
        if not isinstance(name, str) or name not in self.by_name:
            raise unknown_choice(self.selector.name, name, self.selector.schema(list(self.by_name)))
        return self.by_name[name]

    def _refuse_of_others(self, action: str, values: Mapping[str, JsonValue]) -> None:
        problems = {
            name: f"is an argument of {', '.join(owners)}, not of {action}"
            for name, value in values.items()
            if name not in self.schemas[action] and (owners := self._owners(name, value))
        }
        if problems:
            raise one_complaint(problems)

    def _owners(self, name: str, value: JsonValue) -> Sequence[str]:
        """The actions that take the argument; none when its value says nothing to one of them."""
        owners = [action for action, own in self.schemas.items() if name in own]
        if any(is_neutral(value, self.schemas[owner][name]) for owner in owners):
            return ()
        return owners


def action_tool(
    actions: Actions,
    resolve_caller: Callable[[], Caller],
    open_session: OpenSession,
    *,
    name: str,
    title: str,
    description: str,
    annotations: ToolAnnotations,
) -> MemoryTool:
    """The tool of these actions; `open_session` makes a session of agent and `database`."""

    def prepare(caller: Caller, arguments: Mapping[str, JsonValue]) -> Call:
        action, values = actions.read(arguments)
        session = open_session(caller.agent, values.database or None)
        return Call(action.scope, [session.database], partial(action.handler, session, values))

    return MemoryTool.that_prepares(
        prepare,
        resolve_caller,
        name=name,
        title=title,
        description=description,
        parameters=actions.schema,
        annotations=annotations,
    )


@cache
def _properties(model: type[ActionArguments]) -> Mapping[str, Schema]:
    """The schemas of an action's arguments, those of its own before those that all have.

    They are made once for all servers of a process: most of the time of building one was this.
    """
    properties = properties_of(slim(model.model_json_schema(by_alias=True)))
    common = ActionArguments.model_fields
    return {name: properties[name] for name in sorted(properties, key=lambda name: name in common)}


@cache
def _flat_schema(selector: Selector, models: Models) -> Schema:
    """One object with the arguments of all actions; only what every action needs is required."""
    names = [name for name, _ in models]
    uses: dict[str, dict[str, Schema]] = {}
    for action, model in models:
        for name, schema in _properties(model).items():
            uses.setdefault(name, {})[action] = schema
    common = ActionArguments.model_fields
    properties: dict[str, JsonValue] = {selector.name: selector.schema(names)}
    for name in sorted(uses, key=lambda name: name in common):
        properties[name] = _union(name, uses[name], names)
    needed = set[str].intersection(
        *(list_required(model.model_json_schema()) for _, model in models)
    )
    return {
        "type": "object",
        "properties": properties,
        "required": [
            *([] if selector.default else [selector.name]),
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
