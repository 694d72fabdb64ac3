"""Lines and what they mean."""

import json

import pytest

from mcp_memory.interfaces.bridge import protocol
from mcp_memory.interfaces.bridge.protocol import Request, RequestRefused


@pytest.mark.parametrize(
    ("line", "request_"),
    [
        ('{"id": 1, "method": "a"}', Request(1, "a")),
        (' {"id":"x","method":"a","params":null}\r', Request("x", "a")),
        (
            '{"jsonrpc":"2.0","id":-7,"method":"a","params":{"b":[1]}}',
            Request(-7, "a", {"b": [1]}),
        ),
    ],
)
def test_a_line_is_a_request(line: str, request_: Request) -> None:
    assert protocol.parse(line) == request_


@pytest.mark.parametrize(
    "line",
    [
        "junk",
        "[]",
        "7",
        "null",
        '"text"',
        '{"id": 1, "method": "a"',
        "[" * 100_000,
        '{"a":' * 100_000,
        b"\xff\xfe{}".decode("utf-8", "surrogateescape"),
        '{"method": "a"}',
        '{"id": null, "method": "a"}',
        '{"id": true, "method": "a"}',
        '{"id": 1.5, "method": "a"}',
        '{"id": [1], "method": "a"}',
        '{"id": "", "method": "a"}',
        '{"id": "' + "x" * 201 + '", "method": "a"}',
        '{"id": ' + "9" * 30 + ', "method": "a"}',
        '{"id": ' + "9" * 5000 + ', "method": "a"}',
        '{"id": 1, "method": "a", "params": {"x": NaN}}',
        '{"id": 1, "method": "a", "params": {"x": -Infinity}}',
    ],
)
def test_a_bad_line_is_nobodys(line: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        protocol.parse(line)
    assert (caught.value.code, caught.value.id) == ("bad_line", None)


@pytest.mark.parametrize(
    "rest",
    [
        '"x": 1',
        '"method": ""',
        '"method": 7',
        '"method": "a", "params": []',
        '"method": "a", "params": "b"',
        '"method": "a", "param": {}',
    ],
)
def test_a_bad_request_is_answered_under_its_id(rest: str) -> None:
    with pytest.raises(RequestRefused) as caught:
        protocol.parse('{"id": "mine", ' + rest + "}")
    assert (caught.value.code, caught.value.id) == ("bad_request", "mine")


def test_what_goes_out_is_one_line_to_every_reader() -> None:
    line = protocol.event("new_message", data={"subject": "a\nb\r\u2028\u2029\x85é😀"})
    assert len(line.splitlines()) == 1
    assert line.isascii()
    assert json.loads(line)["data"]["subject"] == "a\nb\r\u2028\u2029\x85é😀"
