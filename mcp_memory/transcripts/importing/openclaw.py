"""Session files of OpenClaw: ~/.openclaw/agents/<agent>/sessions/<session>.jsonl.

The first line is the session; then come entries with `id` and `parentId`. What was said is in those
of type `message`, whose message has the role user, assistant or toolResult. A `compaction` is a
summary of what is in the file already.
"""

import json
from collections.abc import Iterator

from mcp_memory.transcripts.importing.documents import (
    Document,
    blocks_of,
    instant_at,
    object_at,
    text_at,
    text_of,
)
from mcp_memory.transcripts.importing.reading import Entry, Reading
from mcp_memory.transcripts.models import NewMessage

SOURCE = "openclaw"


def entries(document: Document, reading: Reading) -> Iterator[Entry]:
    """What was said in the entry, what was asked of tools, or what one answered."""
    match document.get("type"):
        case "session":
            reading.session_id = text_at(document, "id") or reading.session_id
        case "message":
            message = object_at(document, "message")
            for part in _messages(document, message, reading):
                yield Entry(reading.session_id, SOURCE, part)
        case _:
            return


def _messages(document: Document, message: Document, reading: Reading) -> Iterator[NewMessage]:
    words = text_of(message.get("content"))
    match message.get("role"):
        case "user" if words:
            yield _speech(document, message, NewMessage("user", words), reading)
        case "assistant":
            if words:
                yield _speech(document, message, NewMessage("assistant", words), reading)
            yield from _calls(document, message, reading)
        case "toolResult":
            tool, call_id = text_at(message, "toolName"), text_at(message, "toolCallId")
            yield _tool_message(document, message, reading, words, (tool, call_id, "result"), "")
        case "bashExecution":
            words = f"{text_at(message, 'command')}\n{text_at(message, 'output')}"
            yield _tool_message(document, message, reading, words, ("bash", "", "result"), "")
        case _:
            return


def _speech(
    document: Document, message: Document, speech: NewMessage, reading: Reading
) -> NewMessage:
    return NewMessage(
        role=speech.role,
        content=speech.content,
        id=text_at(document, "id") or reading.line_id,
        created_at=instant_at(document, "timestamp") or instant_at(message, "timestamp"),
    )


def _calls(document: Document, message: Document, reading: Reading) -> Iterator[NewMessage]:
    for index, block in enumerate(blocks_of(message.get("content"))):
        if block.get("type") == "toolCall":
            tool, call_id = text_at(block, "name"), text_at(block, "id")
            arguments = json.dumps(block.get("arguments"), ensure_ascii=False)
            call = (tool, call_id, "call")
            yield _tool_message(
                document, message, reading, f"{tool} {arguments}", call, f":{index}"
            )


def _tool_message(
    document: Document,
    message: Document,
    reading: Reading,
    words: str,
    call: tuple[str, str, str],
    suffix: str,
) -> NewMessage:
    tool, call_id, kind = call
    return NewMessage(
        role="tool",
        content=words,
        id=(text_at(document, "id") or reading.line_id) + suffix,
        speaker=tool,
        created_at=instant_at(document, "timestamp") or instant_at(message, "timestamp"),
        metadata={"tool": tool, "call_id": call_id, "kind": kind},
    )
