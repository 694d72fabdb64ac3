"""The part of Claude Code's settings that calls `mcp-memory hook`."""

import shlex
from collections.abc import Sequence

# Seconds the client waits at most; each hook ends earlier by itself.
_TIMEOUT_SECONDS = 10
_EVENTS = ("SessionStart", "UserPromptSubmit", "PostCompact", "Stop", "SessionEnd")


def hook_settings(command: Sequence[str]) -> dict[str, object]:
    """The value of `hooks`: each event runs `command` (up to and without `hook`) with its name."""
    return {
        event: [
            {
                "hooks": [
                    {
                        "type": "command",
                        "command": shlex.join([*command, "hook", event]),
                        "timeout": _TIMEOUT_SECONDS,
                    }
                ]
            }
        ]
        for event in _EVENTS
    }
