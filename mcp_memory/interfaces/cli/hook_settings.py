"""The part of Claude Code's settings that calls `mcp-memory hook`."""

import shlex
from collections.abc import Sequence

from pydantic import JsonValue

from mcp_memory.interfaces.cli.json_files import Document

# Seconds the client waits at most; each hook ends earlier by itself.
_TIMEOUT_SECONDS = 10
_EVENTS = ("SessionStart", "UserPromptSubmit", "PostCompact", "Stop", "SessionEnd")


def hook_settings(command: Sequence[str], agent: str | None = None) -> Document:
    """The value of `hooks`: each event runs `command` (up to and without `hook`) with its name."""
    return {event: [_entry(command, agent, event)] for event in _EVENTS}


def _entry(command: Sequence[str], agent: str | None, event: str) -> JsonValue:
    acting = ["--agent", agent] if agent else []
    run: Document = {
        "type": "command",
        "command": shlex.join([*command, "hook", *acting, event]),
        "timeout": _TIMEOUT_SECONDS,
    }
    return {"hooks": [run]}


def with_hooks(settings: Document, *, command: Sequence[str], agent: str | None = None) -> Document:
    """The settings with our entry for each event, once, beside everybody else's."""
    hooks = _hooks_of(without_hooks(settings))
    for event in _EVENTS:
        hooks[event] = [*_entries(hooks, event), _entry(command, agent, event)]
    changed: Document = dict(settings)
    changed["hooks"] = hooks
    return changed


def without_hooks(settings: Document) -> Document:
    """The settings without our entries; groups that held nothing else are gone with them."""
    hooks = _hooks_of(settings)
    for event in _EVENTS:
        others = [entry for entry in _entries(hooks, event) if not _is_ours(entry, event)]
        if others:
            hooks[event] = others
        else:
            hooks.pop(event, None)
    rest: Document = {key: value for key, value in settings.items() if key != "hooks"}
    if hooks:
        rest["hooks"] = hooks
    return rest


def _hooks_of(settings: Document) -> Document:
    hooks = settings.get("hooks")
    return dict(hooks) if isinstance(hooks, dict) else {}


def _entries(hooks: Document, event: str) -> list[JsonValue]:
    entries = hooks.get(event)
    return entries if isinstance(entries, list) else []


def _is_ours(entry: JsonValue, event: str) -> bool:
    """Known by the command's end and by the program, wherever that is installed."""
    if not isinstance(entry, dict) or not isinstance(entry.get("hooks"), list):
        return False
    commands = [each.get("command") for each in _entries(entry, "hooks") if isinstance(each, dict)]
    return any(
        isinstance(command, str)
        and " hook " in command
        and command.endswith(f" {event}")
        and ("mcp_memory" in command or "mcp-memory" in command)
        for command in commands
    )
