"""The lines that make an MCP client start this server."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def server_command(config_file: Path | None, *options: str) -> list[str]:
    """The command with absolute paths: clients start it anywhere, with next to no environment.

    `-P` keeps a folder `mcp_memory` of the client's current folder from being run instead.
    """
    settings = ["--config", str(config_file.absolute())] if config_file else []
    return [sys.executable, "-P", "-m", "mcp_memory", *settings, *options, "serve"]


def paste_lines(command: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What to type or paste for Claude Code, Claude Desktop and Cursor."""
    entry = {"command": command[0], "args": list(command[1:])}
    pasted = json.dumps({"mcpServers": {"memory": entry}}, indent=2, ensure_ascii=False)
    return [
        "Claude Code:",
        f"  claude mcp add memory --scope user --transport stdio -- {shlex.join(command)}",
        "Claude Desktop (claude_desktop_config.json) and Cursor (~/.cursor/mcp.json):",
        *(f"  {line}" for line in pasted.splitlines()),
        *environment_hint(environ),
    ]


def environment_hint(environ: Mapping[str, str]) -> list[str]:
    """The variables of this shell that a client will not pass on by itself."""
    names = sorted(name for name in environ if name.startswith("MCP_MEMORY_"))
    if not names:
        return []
    return [f'Set in this shell, and not for a client unless its "env" says so: {", ".join(names)}']
