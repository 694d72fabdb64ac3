"""What is no conversation is recognised; what only speaks of it stays."""

import pytest

from mcp_memory.memory.conversations.batch import RECALLED_CLOSE, RECALLED_OPEN, own_words


@pytest.mark.parametrize(
    "content",
    [
        "HEARTBEAT_OK",
        " NO_REPLY\n",
        (
            "Read HEARTBEAT.md if it exists (workspace context). Follow it. If nothing needs"
            " attention, reply HEARTBEAT_OK."
        ),
        "System: [2026-11-20 09:23:42 UTC] new mail\n\nIf nothing needs attention, reply NO_REPLY",
        f"{RECALLED_OPEN}\n- a fact\n{RECALLED_CLOSE}",
        "<relevant-memories>\n- a fact\n</relevant-memories>",
        "<relevant-memories>\n- cut off",
        "<system-reminder>be kind</system-reminder>\n<system-reminder>again</system-reminder>",
        (
            "<command-name>/clear</command-name>\n<command-message>clear</command-message>\n"
            "<command-args></command-args>"
        ),
        "<local-command-stdout>Compacted</local-command-stdout>",
        "This session is being continued from a previous conversation that ran out of context. …",
    ],
)
def test_what_nobody_said_is_left_out(content: str) -> None:
    assert own_words("user", content, {}) == ""


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("<relevant-memories>\n- x\n</relevant-memories>\nWhat now?", "What now?"),
        ("Before <system-reminder>x</system-reminder>after", "Before after"),
        ("Should the agent say HEARTBEAT_OK here?", "Should the agent say HEARTBEAT_OK here?"),
        ("Read HEARTBEAT.md and tell me.", "Read HEARTBEAT.md and tell me."),
        ("a < b and <b>bold</b>", "a < b and <b>bold</b>"),
        ("  spaces  stay\n", "  spaces  stay\n"),
    ],
)
def test_what_was_said_stays(content: str, expected: str) -> None:
    assert own_words("user", content, {}) == expected


@pytest.mark.parametrize(
    "tool", ["memory_search", "mcp__memory__memory_search", "memory__transcript", "memory_get"]
)
def test_what_a_memory_answered_is_left_out(tool: str) -> None:
    assert own_words("tool", "the zebra sleeps", {"tool": tool}) == ""


@pytest.mark.parametrize("tool", ["", "Bash", "memory_write", "transcript_editor"])
def test_what_other_tools_answered_stays(tool: str) -> None:
    assert own_words("tool", "the zebra sleeps", {"tool": tool}) == "the zebra sleeps"


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "part", [" ", "\n", "<system-reminder", "<command-args> ", "If nothing needs "]
)
def test_a_hostile_message_is_looked_through_in_linear_time(part: str) -> None:
    text = f"a{part * (300_000 // len(part))}b"
    assert own_words("user", text, {}) == text
    assert own_words("user", text[1:-1], {}).strip() == text[1:-1].strip()
