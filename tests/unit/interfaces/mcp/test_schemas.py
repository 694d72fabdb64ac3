"""Schemas as models read them."""

from mcp_memory.interfaces.mcp.tools.schemas import Schema, list_required, properties_of, slim


def test_titles_null_branches_and_empty_defaults_are_left_out() -> None:
    assert slim(
        {
            "title": "Arguments",
            "type": "object",
            "properties": {
                "lines": {
                    "anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}],
                    "default": None,
                    "title": "Lines",
                },
                "owner": {"type": "string", "default": "", "title": "Owner"},
                "limit": {"type": "integer", "default": 50},
                "undo": {"type": "boolean", "default": False},
            },
        }
    ) == {
        "type": "object",
        "properties": {
            "lines": {"type": "integer", "minimum": 1},
            "owner": {"type": "string"},
            "limit": {"type": "integer", "default": 50},
            "undo": {"type": "boolean", "default": False},
        },
    }


def test_a_union_keeps_its_other_branches() -> None:
    union: Schema = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    assert slim({"items": [union]}) == {
        "items": [{"anyOf": [{"type": "string"}, {"type": "integer"}]}]
    }


def test_parameters_called_title_and_default_stay() -> None:
    schema = slim({"properties": {"title": {"type": "string"}, "default": {"type": "string"}}})
    assert list(properties_of(schema)) == ["title", "default"]


def test_a_schema_without_parameters_has_none() -> None:
    assert (properties_of({}), list_required({})) == ({}, set())
    assert list_required({"required": ["path"]}) == {"path"}
