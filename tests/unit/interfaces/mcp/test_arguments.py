"""Arguments: what is accepted, what is refused, and in which words."""

from typing import Annotated, Literal

import pytest
from mcp.server.mcpserver.utilities.func_metadata import func_metadata
from pydantic import Field, JsonValue

from mcp_memory.errors import InvalidInput
from mcp_memory.interfaces.mcp.tools.arguments import check_arguments
from mcp_memory.interfaces.mcp.tools.schemas import Schema, list_required, properties_of, slim


def _recall(
    query: str,
    kind: Literal["fact", "goal"] = "fact",
    limit: Annotated[int, Field(ge=1, le=100)] = 6,
    depth: Annotated[int | None, Field(ge=1)] = None,
    weight: Annotated[float, Field(le=1)] = 0.5,
    exact: bool = False,
    days: Annotated[float | None, Field(gt=0)] = None,
    related: bool = True,
    tags: list[str] | None = None,
    anchors: dict[str, str] | None = None,
) -> None:
    """A function like a tool's."""


MODEL = func_metadata(_recall, structured_output=False).arg_model
MODEL.model_config |= {"extra": "forbid", "coerce_numbers_to_str": True}
MODEL.model_rebuild(force=True)
SCHEMA = slim(MODEL.model_json_schema())
DEFAULTS: dict[str, object] = {
    "query": "x",
    "kind": "fact",
    "limit": 6,
    "depth": None,
    "weight": 0.5,
    "exact": False,
    "days": None,
    "related": True,
    "tags": None,
    "anchors": None,
}


def check(**given: JsonValue) -> dict[str, object]:
    return check_arguments(MODEL, properties_of(SCHEMA), list_required(SCHEMA), given)


@pytest.mark.parametrize(
    "given",
    [
        {"query": "a\0b"},
        {"query": "\ud800"},
        {"tags": ["a\0b"]},
        {"tags": '["a\\u0000b"]'},
        {"anchors": '{"\\ud800": "x"}'},
        {"anchors": '{"pr": NaN}'},
    ],
)
def test_what_cannot_be_stored_is_refused_however_it_is_written(
    given: dict[str, JsonValue],
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(**({"query": "x"} | given))
    assert caught.value.parameter == next(iter(given))


def test_choices_that_the_schema_is_silent_about_are_told_all_the_same() -> None:
    properties: dict[str, Schema] = {**properties_of(SCHEMA), "kind": {"type": "string"}}
    with pytest.raises(InvalidInput) as caught:
        check_arguments(MODEL, properties, {"query"}, {"query": "x", "kind": "fct"})
    assert caught.value.problem == "'fct' cannot be used; use 'fact', 'goal'. Did you mean 'fact'?"


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, {}),
        ({"limit": None, "kind": None, "tags": None, "exact": None}, {}),
        (
            {"limit": "12", "depth": "3", "weight": "0.25"},
            {"limit": 12, "depth": 3, "weight": 0.25},
        ),
        ({"limit": 12.0}, {"limit": 12}),
        ({"exact": "true"}, {"exact": True}),
        ({"query": 17}, {"query": "17"}),
        ({"query": '{"a": 1}'}, {"query": '{"a": 1}'}),
        ({"query": "null"}, {"query": "null"}),
        ({"tags": '["a", "b"]'}, {"tags": ["a", "b"]}),
        ({"tags": [1, "b"]}, {"tags": ["1", "b"]}),
        ({"anchors": '{"pr": 12}'}, {"anchors": {"pr": "12"}}),
        ({"kind": "", "tags": "", "anchors": "", "exact": "", "depth": ""}, {}),
        ({"tags": [], "anchors": {}}, {}),
        ({"tags": "[]", "anchors": "{}"}, {}),
        ({"limit": 0, "depth": 0, "days": 0}, {}),
        ({"limit": "0"}, {}),
        ({"weight": 0, "exact": False, "related": False}, {"weight": 0.0, "related": False}),
        ({"weight": 0.5, "limit": 6, "related": True}, {}),
    ],
)
def test_what_clients_send_is_taken_where_it_is_unambiguous(
    given: dict[str, JsonValue], used: dict[str, object]
) -> None:
    assert check(**{"query": "x"} | given) == DEFAULTS | used


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"query": None}, "query: cannot be used; use text"),
        ({"query": ["x"]}, "query: cannot be used; use text"),
        (
            {"kind": "facts"},
            "kind: 'facts' cannot be used; use 'fact', 'goal'. Did you mean 'fact'?",
        ),
        ({"limit": -1}, "limit: -1 cannot be used; use a whole number from 1 to 100"),
        ({"limit": 101}, "limit: 101 cannot be used; use a whole number from 1 to 100"),
        ({"limit": "many"}, "limit: 'many' cannot be used; use a whole number from 1 to 100"),
        ({"limit": 1.5}, "limit: 1.5 cannot be used; use a whole number from 1 to 100"),
        ({"depth": -1}, "depth: -1 cannot be used; use a whole number of at least 1"),
        ({"weight": 2}, "weight: 2 cannot be used; use a number of at most 1"),
        ({"weight": float("nan")}, "weight: nan cannot be used; use a number of at most 1"),
        ({"exact": "maybe"}, "exact: 'maybe' cannot be used; use true or false"),
        ({"tags": "a, b"}, "tags: 'a, b' cannot be used; use a list of text, such as"),
        ({"tags": [["a"]]}, "tags: cannot be used; use a list of text, such as"),
        ({"anchors": ["a"]}, "anchors: cannot be used; use an object of text, such as"),
        ({"limits": 3}, "limits: is not a parameter of this tool. Did you mean 'limit'?"),
        ({"zzz": None}, "zzz: is not a parameter of this tool. Known: query, kind, limit"),
        (
            {"limit": 101, "depth": -1},
            "limit: 101 cannot be used; use a whole number from 1 to 100; depth",
        ),
        ({"query": "a\0b"}, "query: holds a NUL byte"),
        ({"tags": ["a", "b\0"]}, "tags: holds a NUL byte"),
        ({"anchors": {"a\0": "b"}}, "anchors: holds a NUL byte"),
        ({"query": "\ud800"}, "query: holds half of a surrogate pair"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name_with_what_can(
    given: dict[str, JsonValue], complaint: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(**{"query": "x"} | given)
    assert str(caught.value).startswith(complaint)


@pytest.mark.parametrize("query", ["", 0])
def test_what_a_call_must_have_is_never_taken_as_left_out(query: JsonValue) -> None:
    assert check(query=query) == DEFAULTS | {"query": str(query)}


def test_a_missing_argument_is_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        check()
    assert str(caught.value) == "query: is required"


def test_long_input_is_not_echoed() -> None:
    long: list[dict[str, JsonValue]] = [
        {"kind": "k" * 5000},
        {"query": ["q" * 5000]},
        {"n" * 5000: 1},
    ]
    for given in long:
        with pytest.raises(InvalidInput) as caught:
            check(**{"query": "x"} | given)
        assert len(str(caught.value)) < 300


def test_nesting_of_any_depth_is_refused_not_followed() -> None:
    deep: JsonValue = "\0"
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(InvalidInput):
        check(query="x", tags=deep)
    while isinstance(deep, list):  # freeing it recursively would be too deep for Python itself
        deep = deep.pop()
