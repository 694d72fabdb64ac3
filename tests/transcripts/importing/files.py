"""Files shaped like those that agents really write, small."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

Event = Mapping[str, object]


def lines(events: Sequence[Event]) -> str:
    """The events as JSON lines."""
    return "".join(f"{json.dumps(event)}\n" for event in events)


def write(path: Path, events: Sequence[Event]) -> Path:
    """A file of these events."""
    path.write_text(lines(events), encoding="utf-8")
    return path


def claude(number: int, kind: str, content: object, **more: object) -> Event:
    """An event of a Claude Code session."""
    return {
        "parentUuid": f"u{number - 1}" if number > 1 else None,
        "isSidechain": False,
        "userType": "external",
        "cwd": "/home/ann/boats",
        "sessionId": "5d0f3a52-session",
        "version": "2.1.280",
        "gitBranch": "main",
        "type": kind,
        "message": {"role": kind, "content": content},
        "uuid": f"u{number}",
        "timestamp": f"2026-03-01T{9 + number // 60:02}:{number % 60:02}:00.000Z"
        if number < 600
        else "2026-03-02T09:00:00.000Z",
        **more,
    }


CLAUDE_CODE: list[Event] = [
    {"type": "summary", "summary": "Boats", "leafUuid": "u0"},
    {"type": "file-history-snapshot", "messageId": "u1", "snapshot": {}},
    claude(1, "user", "Which boats are in the harbour?"),
    claude(
        2,
        "assistant",
        [
            {"type": "thinking", "thinking": "I should look.", "signature": "x"},
            {"type": "text", "text": "Let me look."},
            {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls harbour"}},
        ],
    ),
    claude(
        3,
        "user",
        [{"type": "tool_result", "tool_use_id": "t1", "content": "gannet\nkittiwake"}],
    ),
    claude(4, "assistant", [{"type": "text", "text": "The Gannet and the Kittiwake."}]),
    claude(
        5,
        "assistant",
        [
            {
                "type": "tool_use",
                "id": "t2",
                "name": "mcp__memory__memory_search",
                "input": {"query": "boats"},
            }
        ],
    ),
    claude(
        6,
        "user",
        [
            {
                "type": "tool_result",
                "tool_use_id": "t2",
                "content": [{"type": "text", "text": "the puffin sank"}],
            }
        ],
    ),
    claude(7, "user", "<command-name>/clear</command-name>", isMeta=True),
    {"type": "system", "subtype": "compact_boundary", "content": "Conversation compacted"},
    claude(8, "user", "This session is being continued from …", isCompactSummary=True),
    claude(9, "user", [{"type": "text", "text": "Paint the Gannet."}, {"type": "image"}]),
    claude(10, "assistant", [{"type": "text", "text": "I sand it first."}], isSidechain=True),
]

OPENCLAW: list[Event] = [
    {
        "type": "session",
        "version": 3,
        "id": "b7300bff-session",
        "timestamp": "2026-03-01T09:00:00.000Z",
        "cwd": "/home/ann",
    },
    {"type": "model_change", "id": "a0", "parentId": None, "provider": "p", "modelId": "m"},
    {
        "type": "message",
        "id": "a1",
        "parentId": "a0",
        "timestamp": "2026-03-01T09:01:00.000Z",
        "message": {
            "role": "user",
            "content": "<relevant-memories>\nold\n</relevant-memories>\nHi",
        },
    },
    {
        "type": "message",
        "id": "a2",
        "parentId": "a1",
        "timestamp": "2026-03-01T09:02:00.000Z",
        "message": {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "hm"},
                {"type": "text", "text": "Good morning."},
                {"type": "toolCall", "id": "c1", "name": "weather", "arguments": {"at": "sea"}},
            ],
        },
    },
    {
        "type": "message",
        "id": "a3",
        "parentId": "a2",
        "message": {
            "role": "toolResult",
            "toolCallId": "c1",
            "toolName": "weather",
            "content": [{"type": "text", "text": "storm"}],
            "isError": False,
            "timestamp": 1772355780000,
        },
    },
    {
        "type": "message",
        "id": "a4",
        "parentId": "a3",
        "timestamp": "2026-03-01T09:30:00.000Z",
        "message": {
            "role": "user",
            "content": "Read HEARTBEAT.md if it exists. If nothing needs attention, reply NO_REPLY",
        },
    },
    {
        "type": "message",
        "id": "a5",
        "parentId": "a4",
        "timestamp": "2026-03-01T09:30:05.000Z",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "NO_REPLY"}]},
    },
    {
        "type": "compaction",
        "id": "a6",
        "parentId": "a5",
        "summary": "They greeted.",
        "tokensBefore": 9,
    },
]
