"""Each client's own way of naming a server, and that nothing else of its file is touched."""

from pathlib import Path

import pytest
from pydantic import JsonValue

from mcp_memory.interfaces.cli.clients import (
    CLIENTS,
    ClientName,
    LocalServer,
    Machine,
    RemoteServer,
    Server,
    UnexpectedShape,
    file_of,
    with_server,
    without_server,
)
from mcp_memory.interfaces.cli.json_files import Document

LOCAL = LocalServer(["/opt/python", "-m", "mcp_memory", "serve"])
REMOTE = RemoteServer("http://127.0.0.1:8720/mcp", "MEMORY_KEY")
COMMAND: Document = {"command": "/opt/python", "args": ["-m", "mcp_memory", "serve"]}
URL: Document = {"url": "http://127.0.0.1:8720/mcp"}


def bearer(reference: str) -> Document:
    return {"headers": {"Authorization": f"Bearer {reference}"}}


QUESTION: Document = {
    "type": "promptString",
    "id": "mcp-memory-key",
    "description": "Key of the memory server",
    "password": True,
}


@pytest.mark.parametrize(
    ("client", "server", "document"),
    [
        ("claude-code", LOCAL, {"mcpServers": {"memory": {"type": "stdio", **COMMAND}}}),
        ("claude-desktop", LOCAL, {"mcpServers": {"memory": COMMAND}}),
        ("cursor", LOCAL, {"mcpServers": {"memory": COMMAND}}),
        ("vscode", LOCAL, {"servers": {"memory": {"type": "stdio", **COMMAND}}}),
        ("openclaw", LOCAL, {"mcp": {"servers": {"memory": COMMAND}}}),
        (
            "claude-code",
            REMOTE,
            {"mcpServers": {"memory": {"type": "http", **URL, **bearer("${MEMORY_KEY}")}}},
        ),
        ("cursor", REMOTE, {"mcpServers": {"memory": {**URL, **bearer("${env:MEMORY_KEY}")}}}),
        (
            "vscode",
            REMOTE,
            {
                "servers": {"memory": {"type": "http", **URL, **bearer("${input:mcp-memory-key}")}},
                "inputs": [QUESTION],
            },
        ),
        (
            "openclaw",
            REMOTE,
            {
                "mcp": {
                    "servers": {
                        "memory": {
                            **URL,
                            "transport": "streamable-http",
                            **bearer("${MEMORY_KEY}"),
                        }
                    }
                }
            },
        ),
    ],
)
def test_a_server_is_named_as_the_client_reads_it(
    client: ClientName, server: Server, document: Document
) -> None:
    assert with_server({}, client, "memory", server) == document


def test_without_keys_no_header_is_written() -> None:
    keyless = RemoteServer("http://127.0.0.1:8720/mcp")
    assert with_server({}, "cursor", "memory", keyless) == {"mcpServers": {"memory": URL}}


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("server", [LOCAL, REMOTE])
def test_a_second_time_changes_nothing_and_removing_leaves_the_rest(
    client: ClientName, server: Server
) -> None:
    other = with_server({"theme": "dark"}, client, "other", LocalServer(["other"]))
    once = with_server(other, client, "memory", server)
    assert with_server(once, client, "memory", server) == once
    assert without_server(once, client, "memory") == other


@pytest.mark.parametrize("client", CLIENTS)
def test_what_was_never_there_is_removed_without_a_trace(client: ClientName) -> None:
    assert without_server({"theme": "dark"}, client, "memory") == {"theme": "dark"}


def test_a_question_that_another_server_uses_stays() -> None:
    two = with_server(with_server({}, "vscode", "a", REMOTE), "vscode", "b", REMOTE)
    assert without_server(two, "vscode", "a")["inputs"] == [QUESTION]


@pytest.mark.parametrize("found", [[], "none", 3, None])
def test_a_file_of_another_shape_is_refused(found: JsonValue) -> None:
    with pytest.raises(UnexpectedShape):
        with_server({"mcpServers": found}, "cursor", "memory", LOCAL)


@pytest.mark.parametrize(
    ("client", "platform", "environ", "file"),
    [
        ("claude-code", "linux", {}, "/h/.claude.json"),
        ("claude-code", "linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
        ("claude-desktop", "linux", {}, "/h/.config/Claude/claude_desktop_config.json"),
        (
            "claude-desktop",
            "darwin",
            {},
            "/h/Library/Application Support/Claude/claude_desktop_config.json",
        ),
        ("claude-desktop", "win32", {"APPDATA": "/r"}, "/r/Claude/claude_desktop_config.json"),
        ("cursor", "darwin", {}, "/h/.cursor/mcp.json"),
        ("vscode", "linux", {"XDG_CONFIG_HOME": "/x"}, "/x/Code/User/mcp.json"),
        ("vscode", "darwin", {}, "/h/Library/Application Support/Code/User/mcp.json"),
        ("openclaw", "linux", {}, "/h/.openclaw/openclaw.json"),
        ("openclaw", "linux", {"OPENCLAW_STATE_DIR": "/s"}, "/s/openclaw.json"),
        ("openclaw", "linux", {"OPENCLAW_CONFIG_PATH": "/s/o.json"}, "/s/o.json"),
    ],
)
def test_each_client_keeps_its_file_where_it_looks_for_it(
    client: ClientName, platform: str, environ: dict[str, str], file: str
) -> None:
    assert file_of(client, Machine(platform, Path("/h"), environ)) == Path(file)
