"""Session files of Claude Code: ~/.claude/projects/<project>/<session>.jsonl.

Each line is an event with a `type`. What was said is in those of type `user` and `assistant`;
tools' results come as `user`, and a compaction's summary too. Thinking is not said to anybody.
Side chains, the conversations of sub-agents, are kept as what a tool did.
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
from mcp_memory.memory.conversations.models import NewMessage, Role

SOURCE = "claude-code"


def entries(document: Document, state: FileState) -> Iterator[Entry]:
    """What was said in the event, what was asked of tools, and what they answered."""
    role = document.get("type")
    is_speech = role in ("user", "assistant") and not document.get("isMeta")
    if not is_speech or document.get("isCompactSummary"):
        return
    session_id = text_at(document, "sessionId") or state.session_id
    content = object_at(document, "message").get("content")
    if words := text_of(content):
        speaker: Role = "user" if role == "user" else "assistant"
        yield Entry(session_id, SOURCE, _speech(document, speaker, words, state))
    for index, block in enumerate(blocks_of(content)):
        match block.get("type"):
            case "tool_use":
                use = _call(block, state)
            case "tool_result":
                use = _result(block, state)
            case _:
                continue
        message_id = f"{text_at(document, 'uuid') or state.line_id}:{index}"
        yield Entry(session_id, SOURCE, use.message(message_id, instant_at(document, "timestamp")))


def _speech(document: Document, role: Role, words: str, state: FileState) -> NewMessage:
    is_aside = bool(document.get("isSidechain"))
    return NewMessage(
        role="tool" if is_aside else role,
        content=words,
        id=text_at(document, "uuid") or state.line_id,
        speaker="subagent" if is_aside else "",
        created_at=instant_at(document, "timestamp"),
        metadata=_workplace(document),
    )


def _workplace(document: Document) -> dict[str, object]:
    """Where the agent worked: what searches can be anchored by."""
    facts = {"cwd": text_at(document, "cwd"), "branch": text_at(document, "gitBranch")}
    return {name: value for name, value in facts.items() if value}


def _call(block: Document, state: FileState) -> ToolUse:
    tool, call_id = text_at(block, "name"), text_at(block, "id")
    state.remember_call(call_id, tool)
    arguments = json.dumps(block.get("input"), ensure_ascii=False)
    return ToolUse(tool, call_id, "call", f"{tool} {arguments}")


def _result(block: Document, state: FileState) -> ToolUse:
    call_id = text_at(block, "tool_use_id")
    tool = state.take_call(call_id)
    return ToolUse(tool, call_id, "result", text_of(block.get("content")))
