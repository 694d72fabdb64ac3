"""What is no conversation: heartbeats, and what a memory itself had put into the context.

Stored again, recalled text would be found as if it had been said anew, and grow with each recall.
"""

import re
from collections.abc import Mapping

# The hooks put what they inject between these; a transcript that quotes it is cut there.
RECALLED_OPEN = '<recalled-memory source="mcp-memory">'
RECALLED_CLOSE = "</recalled-memory>"

_INJECTED = re.compile(
    r"<(?P<tag>recalled-memory|relevant-memories|memory-context|memory_context|system-reminder"
    r"|local-command-stdout|local-command-stderr|local-command-caveat|command-message|command-name"
    r"|command-contents|user-prompt-submit-hook|session-start-hook)\b[^<>]*>"
    r"[\s\S]*?(?:</(?P=tag)>|\Z)|<command-args>\s*</command-args>"
)
# Of a text without white space around it: what may begin anywhere in that is looked for from each
# of its places.
_HEARTBEAT = re.compile(
    r"(?:HEARTBEAT_OK|NO_REPLY|Read HEARTBEAT\.md if it exists\b[\s\S]*"
    r"|[\s\S]*\bIf nothing needs attention, reply (?:HEARTBEAT_OK|NO_REPLY))[.!]?"
)
_CONDENSED = re.compile(
    r"This session is being continued from a previous conversation that ran out of context"
)
_OWN_TOOL = re.compile(
    r"(?:mcp__[\w-]+__|\w+__)?(?:memory_search|memory_get|memory_list|memory_graph_recall"
    r"|memory_graph_query|memory_message|transcript)"
)


def own_words(role: str, content: str, metadata: Mapping[str, object]) -> str:
    """What of the message was really said; empty when nothing was."""
    is_call = metadata.get("kind") == "call"
    if role == "tool" and not is_call and is_recall(str(metadata.get("tool", ""))):
        return ""
    words = content.strip()
    if _HEARTBEAT.fullmatch(words) or _CONDENSED.match(words):
        return ""
    if "<" not in content:
        return content
    rest = _INJECTED.sub("", content)
    return content if rest == content else rest.strip()


def is_recall(tool: str) -> bool:
    """Whether the tool gives back what a memory holds."""
    return _OWN_TOOL.fullmatch(tool) is not None
