"""Session files of Claude Code: ~/.claude/projects/<project>/<session>.jsonl.

Each line is an event with a `type`. What was said is in those of type `user` and `assistant`;
tools' results come as `user`, and a compaction's summary too. Thinking is not said to anybody.
Side chains, the conversations of sub-agents, are kept as what a tool did.
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
from mcp_memory.transcripts.models import NewMessage, Role

SOURCE = "claude-code"


def entries(document: Document, reading: Reading) -> Iterator[Entry]:
    """What was said in the event, what was asked of tools, and what they answered."""
    role = document.get("type")
    is_speech = role in ("user", "assistant") and not document.get("isMeta")
    if not is_speech or document.get("isCompactSummary"):
        return
    session_id = text_at(document, "sessionId") or reading.session_id
    content = object_at(document, "message").get("content")
    if words := text_of(content):
        speaker: Role = "user" if role == "user" else "assistant"
        yield Entry(session_id, SOURCE, _speech(document, speaker, words, reading))
    for index, block in enumerate(blocks_of(content)):
        match block.get("type"):
            case "tool_use":
                message = _call(document, block, index, reading)
            case "tool_result":
                message = _result(document, block, index, reading)
            case _:
                continue
        yield Entry(session_id, SOURCE, message)


def _speech(document: Document, role: Role, words: str, reading: Reading) -> NewMessage:
    is_aside = bool(document.get("isSidechain"))
    return NewMessage(
        role="tool" if is_aside else role,
        content=words,
        id=text_at(document, "uuid") or reading.line_id,
        speaker="subagent" if is_aside else "",
        created_at=instant_at(document, "timestamp"),
        metadata=_workplace(document),
    )


def _workplace(document: Document) -> dict[str, object]:
    """Where the agent worked: what searches can be anchored by."""
    facts = {"cwd": text_at(document, "cwd"), "branch": text_at(document, "gitBranch")}
    return {name: value for name, value in facts.items() if value}


def _call(document: Document, block: Document, index: int, reading: Reading) -> NewMessage:
    tool, call_id = text_at(block, "name"), text_at(block, "id")
    reading.remember_call(call_id, tool)
    arguments = json.dumps(block.get("input"), ensure_ascii=False)
    return _tool_message(document, index, reading, f"{tool} {arguments}", tool, call_id, "call")


def _result(document: Document, block: Document, index: int, reading: Reading) -> NewMessage:
    call_id = text_at(block, "tool_use_id")
    tool = reading.take_call(call_id)
    words = text_of(block.get("content"))
    return _tool_message(document, index, reading, words, tool, call_id, "result")


def _tool_message(
    document: Document,
    index: int,
    reading: Reading,
    words: str,
    tool: str,
    call_id: str,
    kind: str,
) -> NewMessage:
    event_id = text_at(document, "uuid") or reading.line_id
    return NewMessage(
        role="tool",
        content=words,
        id=f"{event_id}:{index}",
        speaker=tool,
        created_at=instant_at(document, "timestamp"),
        metadata={"tool": tool, "call_id": call_id, "kind": kind},
    )
