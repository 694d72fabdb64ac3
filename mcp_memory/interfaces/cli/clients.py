"""The lines that make an MCP client start this server."""

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

from pydantic import JsonValue

from mcp_memory.interfaces.cli.json_files import Document


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


ClientName = Literal["claude-code", "claude-desktop", "cursor", "vscode", "openclaw"]
CLIENTS = cast("tuple[ClientName, ...]", get_args(ClientName))

_SERVERS: Mapping[ClientName, tuple[str, ...]] = {
    "claude-code": ("mcpServers",),
    "claude-desktop": ("mcpServers",),
    "cursor": ("mcpServers",),
    "vscode": ("servers",),
    "openclaw": ("mcp", "servers"),
}
_TYPED: tuple[ClientName, ...] = ("claude-code", "vscode")
_INPUT = "mcp-memory-key"


class UnexpectedShape(Exception):
    """The file holds something else where the servers should be."""


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that the client starts itself."""

    command: Sequence[str]


@dataclass(frozen=True, slots=True)
class RemoteServer:
    """A server that runs already; the key is never written down, only where it is found."""

    url: str
    key_variable: str | None = None


Server = LocalServer | RemoteServer


@dataclass(frozen=True, slots=True)
class Machine:
    """What decides where clients keep their files."""

    platform: str
    home: Path
    environ: Mapping[str, str]

    @property
    def application_data(self) -> Path:
        """The folder of programs' own folders."""
        match self.platform:
            case "darwin":
                return self.home / "Library" / "Application Support"
            case "win32":
                return Path(self.environ.get("APPDATA") or self.home / "AppData" / "Roaming")
            case _:
                return Path(self.environ.get("XDG_CONFIG_HOME") or self.home / ".config")


def file_of(client: ClientName, machine: Machine) -> Path:
    """The file in which the client keeps the servers of this user."""
    environ, home = machine.environ, machine.home
    match client:
        case "claude-code":
            return Path(environ.get("CLAUDE_CONFIG_DIR") or home) / ".claude.json"
        case "claude-desktop":
            return machine.application_data / "Claude" / "claude_desktop_config.json"
        case "cursor":
            return home / ".cursor" / "mcp.json"
        case "vscode":
            return machine.application_data / "Code" / "User" / "mcp.json"
        case "openclaw":
            folder = Path(environ.get("OPENCLAW_STATE_DIR") or home / ".openclaw")
            return Path(environ.get("OPENCLAW_CONFIG_PATH") or folder / "openclaw.json")


def with_server(document: Document, client: ClientName, name: str, server: Server) -> Document:
    """The document that also names this server; everything else is as it was."""
    changed = _with_entry(document, _SERVERS[client], name, _entry(client, server))
    return _with_input(changed, server) if client == "vscode" else changed


def without_server(document: Document, client: ClientName, name: str) -> Document:
    """The document that does not name this server; unchanged where it never did."""
    changed = _without_entry(document, _SERVERS[client], name)
    if client == "vscode" and changed != document and not _refers_to_input(changed):
        return _without_input(changed)
    return changed


def _entry(client: ClientName, server: Server) -> Document:
    match server:
        case LocalServer(command):
            entry: Document = {"command": command[0], "args": list(command[1:])}
            return {"type": "stdio", **entry} if client in _TYPED else entry
        case RemoteServer(url, variable):
            entry = {"url": url}
            if client in _TYPED:
                entry = {"type": "http", **entry}
            # Without it OpenClaw would speak the older transport, at another path.
            if client == "openclaw":
                entry["transport"] = "streamable-http"
            if variable is not None:
                reference = _reference(client, variable)
                entry["headers"] = {"Authorization": f"Bearer {reference}"}
            return entry


def _reference(client: ClientName, variable: str) -> str:
    """How the client is told to put a variable's value there; VS Code asks and keeps it safe."""
    match client:
        case "vscode":
            return f"${{input:{_INPUT}}}"
        case "cursor":
            return f"${{env:{variable}}}"
        case _:
            return f"${{{variable}}}"


def _with_entry(document: Document, keys: Sequence[str], name: str, entry: Document) -> Document:
    if not keys:
        return {**document, name: entry}
    below = _object(document, keys[0])
    return {**document, keys[0]: _with_entry(below, keys[1:], name, entry)}


def _without_entry(document: Document, keys: Sequence[str], name: str) -> Document:
    if not keys:
        return {key: value for key, value in document.items() if key != name}
    if keys[0] not in document:
        return document
    return {**document, keys[0]: _without_entry(_object(document, keys[0]), keys[1:], name)}


def _object(document: Document, key: str) -> Document:
    below = document.get(key, {})
    if not isinstance(below, dict):
        raise UnexpectedShape(f"{key!r} does not hold an object")
    return below


def _with_input(document: Document, server: Server) -> Document:
    if not isinstance(server, RemoteServer) or server.key_variable is None:
        return document
    question: Document = {
        "type": "promptString",
        "id": _INPUT,
        "description": "Key of the memory server",
        "password": True,
    }
    return {**document, "inputs": [*_other_inputs(document), question]}


def _without_input(document: Document) -> Document:
    rest = {key: value for key, value in document.items() if key != "inputs"}
    others = _other_inputs(document)
    return {**document, "inputs": others} if others else rest


def _other_inputs(document: Document) -> list[JsonValue]:
    inputs = document.get("inputs", [])
    if not isinstance(inputs, list):
        raise UnexpectedShape("'inputs' does not hold a list")
    return [each for each in inputs if not (isinstance(each, dict) and each.get("id") == _INPUT)]


def _refers_to_input(document: Document) -> bool:
    return f"${{input:{_INPUT}}}" in str(document.get("servers"))
