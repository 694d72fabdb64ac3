"""Session files of OpenClaw: ~/.openclaw/agents/<agent>/sessions/<session>.jsonl.

The first line is the session; then come entries with `id` and `parentId`. What was said is in those
of type `message`, whose message has the role user, assistant or toolResult. A `compaction` is a
summary of what is in the file already.
"""

import json
from collections.abc import Iterator

from mcp_memory.memory.conversations.imports.entries import (
    Document,
    Entry,
    FileState,
    ToolUse,
    blocks_of,
    instant_at,
    object_at,
    text_at,
    text_of,
)
from mcp_memory.memory.conversations.models import NewMessage

SOURCE = "openclaw"


def entries(document: Document, state: FileState) -> Iterator[Entry]:
    """What was said in the entry, what was asked of tools, or what one answered."""
    match document.get("type"):
        case "session":
            state.session_id = text_at(document, "id") or state.session_id
        case "message":
            message = object_at(document, "message")
            for part in _messages(document, message, state):
                yield Entry(state.session_id, SOURCE, part)
        case _:
            return


def _messages(document: Document, message: Document, state: FileState) -> Iterator[NewMessage]:
    entry_id = text_at(document, "id") or state.line_id
    at = instant_at(document, "timestamp") or instant_at(message, "timestamp")
    words = text_of(message.get("content"))
    match message.get("role"):
        case "user" if words:
            yield NewMessage("user", words, entry_id, created_at=at)
        case "assistant":
            if words:
                yield NewMessage("assistant", words, entry_id, created_at=at)
            for index, call in _calls(message):
                yield call.message(f"{entry_id}:{index}", at)
        case "toolResult":
            tool, call_id = text_at(message, "toolName"), text_at(message, "toolCallId")
            yield ToolUse(tool, call_id, "result", words).message(entry_id, at)
        case "bashExecution":
            text = f"{text_at(message, 'command')}\n{text_at(message, 'output')}"
            yield ToolUse("bash", "", "result", text).message(entry_id, at)
        case _:
            return


def _calls(message: Document) -> Iterator[tuple[int, ToolUse]]:
    """The calls among the blocks of a message, each with its index there."""
    for index, block in enumerate(blocks_of(message.get("content"))):
        if block.get("type") == "toolCall":
            tool = text_at(block, "name")
            arguments = json.dumps(block.get("arguments"), ensure_ascii=False)
            yield index, ToolUse(tool, text_at(block, "id"), "call", f"{tool} {arguments}")
