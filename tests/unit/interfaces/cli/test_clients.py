"""The lines to paste: absolute, complete, and true JSON."""

import json
import sys
from pathlib import Path

from mcp_memory.interfaces.cli.clients import paste_lines, server_command


def test_the_command_is_absolute_and_keeps_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "memory.json"
    command = server_command(file)
    options = ["-P", "-m", "mcp_memory", "--config", str(file), "serve"]
    assert command == [sys.executable, *options]
    assert Path(sys.executable).is_absolute()


def test_the_lines_hold_the_command_for_a_shell_and_as_json() -> None:
    command = ["/opt/my venv/python", "-m", "mcp_memory", "serve"]
    lines = paste_lines(command, {})
    assert lines[1].endswith("-- '/opt/my venv/python' -m mcp_memory serve")
    pasted = "\n".join(line for line in lines if line.startswith("  ") and line != lines[1])
    servers = {"memory": {"command": command[0], "args": command[1:]}}
    assert json.loads(pasted) == {"mcpServers": servers}


def test_variables_of_this_shell_are_named_without_their_values() -> None:
    environ = {"MCP_MEMORY_DATABASE_URL": "postgresql://u:s3cret@h/d", "HOME": "/h"}
    last = paste_lines(["python"], environ)[-1]
    assert "MCP_MEMORY_DATABASE_URL" in last
    assert "s3cret" not in last
