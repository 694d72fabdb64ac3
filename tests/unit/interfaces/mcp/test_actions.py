"""Tools with actions: what each action takes, and the one schema that clients need of them all."""

from collections.abc import Mapping
from typing import Annotated

import pytest
from pydantic import Field, JsonValue

from mcp_memory.app import App
from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.mcp.tools.arguments import Action, ActionArguments, Actions, Selector
from mcp_memory.interfaces.mcp.tools.mail import MessageTools
from mcp_memory.interfaces.mcp.tools.schemas import Schema, properties_of
from mcp_memory.interfaces.mcp.tools.tool import Answer
from mcp_memory.postgres.session import Session


class Paint(ActionArguments):
    """A wall to paint."""

    colour: Annotated[str, Field(description="any")]
    coats: Annotated[int, Field(ge=1, le=9)] = 2
    tools: list[str] | None = None
    is_wet: bool = False


class Wash(ActionArguments):
    """A wall to wash."""

    coats: Annotated[int, Field(ge=1, le=9)] = 1
    tools: list[str]
    soap: Annotated[float, Field(ge=0, description="litres")] = 1.0
    dry: bool = True


class Look(ActionArguments):
    """A look at the wall."""

    coats: Annotated[int, Field(ge=1, le=9)] = 1


async def answer(session: Session, arguments: ActionArguments) -> Answer:
    del session, arguments
    return Answer()


LISTED = [
    Action.of("paint", Paint, "write", answer),
    Action.of("wash", Wash, "write", answer),
    Action.of("look", Look, "read", answer),
]
ACTIONS = Actions.of(LISTED)


def read(**arguments: JsonValue) -> tuple[str, dict[str, object]]:
    """The action, and what is not left out."""
    action, values = ACTIONS.read(arguments)
    return action.name, values.model_dump(exclude_defaults=True)


def complaint(**arguments: JsonValue) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(**arguments)
    return str(caught.value)


def test_the_schema_is_the_union_of_the_models() -> None:
    assert ACTIONS.schema == {
        "type": "object",
        "properties": {
            "action": {
                "type": "string",
                "enum": ["paint", "wash", "look"],
                "description": "See above",
            },
            "colour": {"type": "string", "description": "paint: any"},
            "coats": {
                "type": "integer",
                "minimum": 1,
                "maximum": 9,
                "description": "paint: default: 2; wash, look: default: 1",
            },
            "tools": {"type": "array", "items": {"type": "string"}, "description": "paint, wash"},
            "is_wet": {"type": "boolean", "description": "paint", "default": False},
            "soap": {
                "type": "number",
                "minimum": 0,
                "description": "wash: litres",
                "default": 1.0,
            },
            "dry": {"type": "boolean", "description": "wash", "default": True},
            "database": {"type": "string", "description": "Default: current"},
        },
        "required": ["action"],
        "additionalProperties": False,
    }
    first, *_, last = properties_of(ACTIONS.schema)
    assert (first, last) == ("action", "database")


def test_what_many_actions_take_is_described_without_their_names() -> None:
    class Brush(ActionArguments):
        size: Annotated[int, Field(description="in mm")] = 1

    class Bucket(ActionArguments):
        size: Annotated[int, Field(description="in litres")] = 1

    actions = Actions.of(
        [
            *(Action.of(name, Brush, "read", answer) for name in ("broad", "fine", "round")),
            Action.of("fill", Bucket, "read", answer),
        ]
    )
    size = properties_of(actions.schema)["size"]
    assert size == {"type": "integer", "description": "fill: in litres; in mm", "default": 1}


def test_one_name_cannot_have_two_shapes() -> None:
    class Other(ActionArguments):
        coats: str = ""

    with pytest.raises(TypeError, match="coats"):
        Actions.of([*LISTED, Action.of("other", Other, "read", answer)])


OWN: list[tuple[dict[str, JsonValue], tuple[str, dict[str, object]]]] = [
    ({"action": "paint", "colour": "red"}, ("paint", {"colour": "red"})),
    ({"action": "paint", "colour": 7}, ("paint", {"colour": "7"})),
    ({"action": "wash", "tools": '["mop"]'}, ("wash", {"tools": ["mop"]})),
    ({"action": "look", "database": "life"}, ("look", {"database": "life"})),
    (
        {"action": "wash", "tools": ["mop"], "soap": 0, "dry": False},
        ("wash", {"tools": ["mop"], "soap": 0.0, "dry": False}),
    ),
]


@pytest.mark.parametrize(("arguments", "expected"), OWN)
def test_an_action_gets_its_own_arguments(
    arguments: dict[str, JsonValue], expected: tuple[str, dict[str, object]]
) -> None:
    assert read(**arguments) == expected


@pytest.mark.parametrize(
    "others",
    [
        {"colour": None, "tools": None, "soap": None, "dry": None},
        {"colour": "", "tools": [], "database": ""},
        {"tools": "[]", "soap": 1, "dry": True, "is_wet": False},
        {"coats": 0},
        {"coats": 1},
    ],
)
def test_what_says_nothing_is_left_out(others: dict[str, JsonValue]) -> None:
    assert read(action="look", **others) == ("look", {})


TWO_OF_OTHERS = (
    "tools: is an argument of paint, wash, not of look;"
    " is_wet: is an argument of paint, not of look"
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, "action: is required"),
        ({"action": ""}, "action: is required"),
        ({"action": None}, "action: is required"),
        (
            {"action": "pain"},
            "action: 'pain' cannot be used; use 'paint', 'wash', 'look'. Did you mean 'paint'?",
        ),
        ({"action": 7}, "action: 7 cannot be used; use 'paint', 'wash', 'look'"),
        ({"action": ["look"]}, "action: cannot be used; use 'paint', 'wash', 'look'"),
        (
            {"action": "look", "color": "x"},
            "color: is not a parameter of this tool. Did you mean 'colour'?",
        ),
        ({"action": "look", "colour": "x"}, "colour: is an argument of paint, not of look"),
        ({"action": "look", "soap": 0}, "soap: is an argument of wash, not of look"),
        ({"action": "look", "dry": False}, "dry: is an argument of wash, not of look"),
        (
            {"action": "look", "tools": ["mop"], "is_wet": True},
            TWO_OF_OTHERS,
        ),
        ({"action": "paint"}, "colour: is required for paint"),
        ({"action": "paint", "colour": ""}, "colour: is required for paint"),
        ({"action": "wash", "tools": []}, "tools: is required for wash"),
        ({"action": "wash", "tools": None}, "tools: is required for wash"),
        (
            {"action": "look", "coats": 10},
            "coats: 10 cannot be used; use a whole number from 1 to 9",
        ),
        ({"action": "paint", "colour": "a\0b"}, "colour: holds a NUL byte, which cannot be stored"),
    ],
)
def test_what_cannot_be_used_is_named_with_its_action(
    arguments: dict[str, JsonValue], expected: str
) -> None:
    assert complaint(**arguments) == expected


def test_another_selector_may_have_a_default() -> None:
    actions = Actions.of(LISTED, Selector("mode", "What to do", default="look"))
    assert properties_of(actions.schema)["mode"]["default"] == "look"
    assert actions.schema["required"] == []
    for arguments in ({}, {"mode": None}, {"mode": ""}):
        assert actions.read(arguments)[0].name == "look"
    with pytest.raises(InvalidInput, match="mode: 'lock' cannot be used"):
        actions.read({"mode": "lock"})


def own_and_foreign(actions: Actions) -> list[tuple[str, str]]:
    """Every action with every argument that is another's."""
    names = properties_of(actions.schema).keys() - {actions.selector.name}
    return [
        (action, name) for action, own in actions.schemas.items() for name in names - own.keys()
    ]


def neutral(properties: Mapping[str, Schema], *, like: JsonValue) -> dict[str, JsonValue]:
    """Every parameter with what says nothing: its default, else this, as its type allows."""
    return {name: schema.get("default", like) for name, schema in properties.items()}


def meant(schema: Schema) -> JsonValue:
    """A value that says something."""
    match schema.get("type"):
        case "integer" | "number":
            return 7
        case "boolean":
            return not schema.get("default")
        case "array":
            return ["x"]
        case _:
            return "x"


async def test_mail_refuses_every_argument_of_another_action_by_name(app: App) -> None:
    actions = MessageTools(app).actions()
    properties = properties_of(actions.schema)
    pairs = own_and_foreign(actions)
    assert len(pairs) > 100
    for action, name in pairs:
        with pytest.raises(InvalidInput) as caught:
            actions.read({"action": action, name: meant(properties[name])})
        assert caught.value.parameter == name
        assert caught.value.problem.startswith("is an argument of ")
        assert caught.value.problem.endswith(f", not of {action}")


@pytest.mark.parametrize("nothing", [None, ""])
async def test_mail_takes_every_argument_that_says_nothing(app: App, nothing: JsonValue) -> None:
    actions = MessageTools(app).actions()
    needed: dict[str, dict[str, JsonValue]] = {
        "send": {"content": "x"},
        "ack": {"message_ids": ["1"]},
        "status": {"message_id": "1"},
        "subscribe": {"channel": "x"},
        "unsubscribe": {"channel": "x"},
    }
    for name in actions.by_name:
        own = needed.get(name, {})
        every = neutral(properties_of(actions.schema), like=nothing) | {"action": name} | own
        action, values = actions.read(every)
        assert action.name == name
        assert values.model_dump(exclude_defaults=True) == own
