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
    said_here = role in ("user", "assistant") and not document.get("isMeta")
    if not said_here or document.get("isCompactSummary"):
        return
    session_id = text_at(document, "sessionId") or reading.session_id
    content = object_at(document, "message").get("content")
    if words := text_of(content):
        speaker: Role = "user" if role == "user" else "assistant"
        yield Entry(session_id, SOURCE, _said(document, speaker, words, reading))
    for place, block in enumerate(blocks_of(content)):
        match block.get("type"):
            case "tool_use":
                message = _call(document, block, place, reading)
            case "tool_result":
                message = _result(document, block, place, reading)
            case _:
                continue
        yield Entry(session_id, SOURCE, message)


def _said(document: Document, role: Role, words: str, reading: Reading) -> NewMessage:
    is_aside = bool(document.get("isSidechain"))
    return NewMessage(
        role="tool" if is_aside else role,
        content=words,
        id=text_at(document, "uuid") or reading.line_id,
        speaker="subagent" if is_aside else "",
        created_at=instant_at(document, "timestamp"),
        metadata=_place(document),
    )


def _place(document: Document) -> dict[str, object]:
    """Where the agent worked: what searches can be anchored by."""
    places = {"cwd": text_at(document, "cwd"), "branch": text_at(document, "gitBranch")}
    return {name: value for name, value in places.items() if value}


def _call(document: Document, block: Document, place: int, reading: Reading) -> NewMessage:
    tool, call_id = text_at(block, "name"), text_at(block, "id")
    reading.called(call_id, tool)
    arguments = json.dumps(block.get("input"), ensure_ascii=False)
    return _of_tool(document, place, reading, f"{tool} {arguments}", tool, call_id, "call")


def _result(document: Document, block: Document, place: int, reading: Reading) -> NewMessage:
    call_id = text_at(block, "tool_use_id")
    tool = reading.answered(call_id)
    words = text_of(block.get("content"))
    return _of_tool(document, place, reading, words, tool, call_id, "result")


def _of_tool(
    document: Document,
    place: int,
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
        id=f"{event_id}:{place}",
        speaker=tool,
        created_at=instant_at(document, "timestamp"),
        metadata={"tool": tool, "call_id": call_id, "kind": kind},
    )
