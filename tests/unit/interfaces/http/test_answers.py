"""The shape of a refusal: ours, and JSON-RPC's where MCP is spoken."""

import json
from typing import cast

import pytest

from mcp_memory.interfaces.http.answers import refusal


def body(path: str, status: int) -> object:
    return cast("object", json.loads(bytes(refusal(path, status, "No.").body)))


@pytest.mark.parametrize(
    ("status", "word"), [(401, "unauthorized"), (413, "too_large"), (503, "unavailable")]
)
def test_a_refusal_names_its_kind_its_reason_and_its_status(status: int, word: str) -> None:
    assert body("/api/search", status) == {"error": word, "message": "No.", "status": status}


@pytest.mark.parametrize(("status", "code"), [(401, -32600), (503, -32603)])
def test_on_mcps_path_it_is_an_error_of_json_rpc(status: int, code: int) -> None:
    error = {"code": code, "message": "No.", "data": {"status": status}}
    assert body("/mcp", status) == {"jsonrpc": "2.0", "id": None, "error": error}


def test_what_is_unavailable_says_when_to_come_again() -> None:
    assert refusal("/", 503, "No.").headers["retry-after"] == "1"
    assert refusal("/", 429, "No.", {"Retry-After": "7"}).headers["retry-after"] == "7"
