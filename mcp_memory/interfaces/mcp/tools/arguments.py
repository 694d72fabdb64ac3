"""The arguments of a call, read and checked before its tool runs.

A tool with actions has one small model for each, and the one flat schema that clients need of them.
"""

import inspect
import json
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from math import isfinite
from typing import Self, TypeVar, cast
from zoneinfo import ZoneInfo

from mcp.server.mcpserver.utilities.func_metadata import ArgModelBase, func_metadata
from mcp_types import ToolAnnotations
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from mcp_memory.config import Config
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.caller import Caller
from mcp_memory.interfaces.mcp.tools.complaints import (
    complaint,
    one_complaint,
    unknown_choice,
    unknown_parameter,
)
from mcp_memory.interfaces.mcp.tools.parameters import DatabaseName
from mcp_memory.interfaces.mcp.tools.schemas import (
    Schema,
    flatten,
    list_required,
    properties_of,
    slim,
)
from mcp_memory.interfaces.mcp.tools.tool import Answer, Call, MemoryTool
from mcp_memory.memory.keys import Scope
from mcp_memory.postgres.session import OpenSession, Session
from mcp_memory.text.dates import parse_instant


def parse_json(text: str | bytes) -> JsonValue:
    """The value; `ValueError` for what is no JSON, NaN and infinite numbers included."""
    value = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
    return cast("JsonValue", value)


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("a number is too large")
    return number


def instant(config: Config, parameter: str, text: str, *, day_end: bool = False) -> datetime | None:
    """The instant a parameter names; `InvalidInput` when it cannot be read."""
    if not text.strip():
        return None
    zone = ZoneInfo(config.timezone)
    return parse_instant(parameter, text, now=datetime.now(UTC), zone=zone, day_end=day_end)


def parse_arguments(
    properties: Mapping[str, Schema], arguments: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """The arguments, with lists and objects read where they came as JSON text, as some clients
    send them; `InvalidInput` for a name that is none and for text that cannot be stored."""
    _refuse_unknown(arguments, properties)
    values = {name: _parse(value, properties[name]) for name, value in arguments.items()}
    # After the JSON text was read: an escape in it may stand for what cannot be stored.
    _refuse_unstorable(values)
    return values


def is_neutral(value: JsonValue, schema: Schema) -> bool:
    """Whether the value stands for "left out": strict clients send every parameter.

    Nothing, an empty text, list or object, the default, and 0 where 0 is not allowed.
    """
    if value in (None, "", [], {}) or value == schema.get("default"):
        return True
    return value in (0, "0") and not _takes_zero(schema)


def _takes_zero(schema: Schema) -> bool:
    lowest, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    return not (
        (isinstance(lowest, int | float) and lowest > 0)
        or (isinstance(above, int | float) and above >= 0)
    )


def _refuse_unknown(arguments: Mapping[str, JsonValue], properties: Mapping[str, Schema]) -> None:
    for name in arguments:
        if name not in properties:
            raise unknown_parameter(name, [*properties])


def _refuse_unstorable(arguments: Mapping[str, JsonValue]) -> None:
    """No text with NUL or half a surrogate pair reaches a service."""
    for name, value in arguments.items():
        for text in _texts(value):
            if "\0" in text:
                raise InvalidInput(name, "holds a NUL byte, which cannot be stored")
            if not _is_encodable(text):
                raise InvalidInput(name, "holds half of a surrogate pair, which cannot be stored")


def _texts(value: JsonValue) -> Iterator[str]:
    """Every text inside, keys too; a stack, since a client chooses the depth."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case list() as parts:
                waiting.extend(parts)
            case dict() as parts:
                waiting.extend(parts)
                waiting.extend(parts.values())
            case _:
                pass


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _parse(value: JsonValue, schema: Schema) -> JsonValue:
    """The list or object that a text holds, where one is expected."""
    if not isinstance(value, str) or schema.get("type") not in ("array", "object"):
        return value
    try:
        return parse_json(value)
    except (ValueError, RecursionError):
        return value


class ActionArguments(BaseModel):
    """What every action takes; each adds its own fields, and mixins those that several take."""

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True)

    database: DatabaseName = ""


Model = TypeVar("Model", bound=ActionArguments)
Handler = Callable[[Session, ActionArguments], Awaitable[Answer]]


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
    # The schemas of all arguments by name, and those of each action's own.
    properties: Mapping[str, Schema] = field(repr=False)
    schemas: Mapping[str, Mapping[str, Schema]] = field(repr=False)

    @classmethod
    def of(cls, actions: Sequence[Action], selector: Selector | None = None) -> Self:
        """Several actions, in the order in which they are listed; without a selector `action`."""
        selector = selector or Selector()
        schema = _flat_schema(
            selector, tuple((action.name, action.arguments) for action in actions)
        )
        return cls(
            selector=selector,
            by_name={action.name: action for action in actions},
            schema=schema,
            properties=properties_of(schema),
            schemas={one.name: properties_of(_schema(one.arguments)) for one in actions},
        )

    def read(self, arguments: Mapping[str, JsonValue]) -> tuple[Action, ActionArguments]:
        """The action and its arguments; `InvalidInput` naming what it does not take or lacks."""
        values = parse_arguments(self.properties, arguments)
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


@cache
def _schema(model: type[ActionArguments]) -> Schema:
    """The schema of an action's arguments, those of its own before those that all have.

    It is made once for all servers of a process: most of the time of building one was this.
    """
    schema = slim(model.model_json_schema(by_alias=True))
    own = properties_of(schema)
    ordered = sorted(own, key=lambda name: name in ActionArguments.model_fields)
    properties: Schema = {name: own[name] for name in ordered}
    return {**schema, "properties": properties}


@cache
def _flat_schema(
    selector: Selector, models: tuple[tuple[str, type[ActionArguments]], ...]
) -> Schema:
    schemas = {name: _schema(model) for name, model in models}
    choice = selector.schema([*schemas])
    return flatten(selector.name, choice, schemas, ActionArguments.model_fields)


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

    return MemoryTool.of(
        prepare,
        resolve_caller,
        name=name,
        title=title,
        description=description,
        parameters=actions.schema,
        annotations=annotations,
    )


ScopeOf = Callable[[Mapping[str, object]], Scope]
DatabasesOf = Callable[[Caller, Mapping[str, object]], Sequence[str]]
_CALLER = "caller"


def usual_databases(caller: Caller, arguments: Mapping[str, object]) -> Sequence[str]:
    """The one that the call names, or the caller's default."""
    return [str(arguments.get("database") or caller.default_database)]


def function_tool(
    function: Callable[..., Awaitable[Answer]],
    resolve_caller: Callable[[], Caller],
    *,
    title: str,
    annotations: ToolAnnotations,
    always_load: bool = False,
    scope_of: ScopeOf | None = None,
    databases_of: DatabasesOf = usual_databases,
) -> MemoryTool:
    """The tool of a function that takes the caller first, then the arguments by name.

    The tool's name, description and parameters are the function's. `scope_of` says what a call
    needs (without it `read` for a tool that only reads, else `write`), `databases_of` which
    databases it touches.
    """
    model, schema = _arguments_of(getattr(function, "__func__", function))
    properties, required = properties_of(schema), list_required(schema)
    scope_of = scope_of or _usual_scope(annotations)

    def prepare(caller: Caller, arguments: Mapping[str, JsonValue]) -> Call:
        values = check_arguments(model, properties, required, arguments)
        databases = databases_of(caller, values)
        return Call(scope_of(values), databases, partial(function, caller, **values))

    return MemoryTool.of(
        prepare,
        resolve_caller,
        name=function.__name__,
        title=title,
        description=inspect.getdoc(function) or "",
        parameters=schema,
        annotations=annotations,
        always_load=always_load,
    )


@cache
def _arguments_of(function: Callable[..., object]) -> tuple[type[ArgModelBase], Schema]:
    """The model of the arguments of a function or method, and its schema.

    They are made once for all servers of a process: most of the time of building one was this.
    """
    metadata = func_metadata(function, skip_names=["self", _CALLER], structured_output=False)
    model = metadata.arg_model
    model.model_config |= {"extra": "forbid", "coerce_numbers_to_str": True}
    model.model_rebuild(force=True)
    return model, slim(model.model_json_schema(by_alias=True))


def _usual_scope(annotations: ToolAnnotations) -> ScopeOf:
    scope: Scope = "read" if annotations.read_only_hint else "write"
    return lambda _: scope


def check_arguments(
    model: type[ArgModelBase],
    properties: Mapping[str, Schema],
    required: Collection[str],
    arguments: Mapping[str, JsonValue],
) -> dict[str, object]:
    """The tool's arguments by name; `InvalidInput` naming the first that cannot be used.

    Where a parameter may be left out, a neutral value stands for that.
    """
    values = {
        name: value
        for name, value in parse_arguments(properties, arguments).items()
        if name in required or not is_neutral(value, properties[name])
    }
    try:
        return model.model_validate(values).model_dump_one_level()
    except ValidationError as exc:
        raise complaint(exc, properties) from exc
