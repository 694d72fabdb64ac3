"""`serve`: stdout is the protocol's alone."""

import json
from dataclasses import replace

from tests.fixtures.program import Program

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def test_stdout_holds_messages_only_however_much_is_logged(program: Program) -> None:
    stdin = "".join(json.dumps(message) + "\n" for message in (HELLO, READY))
    ended = replace(program, is_cold=True).spawn(
        "--log-level", "debug", "serve", "--agent", "ada", stdin=stdin
    )
    assert ended.code == 0
    messages = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [message["id"] for message in messages] == [1]
    assert messages[0]["result"]["serverInfo"]["name"] == "mcp-memory"
    assert ended.stderr != ""


def test_transports_that_are_not_there_are_not_offered(bare: Program) -> None:
    assert bare.spawn("serve", "--transport", "carrier-pigeon").code == 2


def test_a_bad_setting_stops_the_start_on_stderr_alone(bare: Program) -> None:
    ended = bare.spawn("serve", MCP_MEMORY_AGNET="ada")
    assert (ended.code, ended.stdout) == (1, "")
    assert "MCP_MEMORY_AGENT" in ended.stderr
