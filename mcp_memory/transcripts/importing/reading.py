"""What has to be remembered between the lines of one file."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Self, cast

from mcp_memory.transcripts.models import NewMessage

# Calls whose results never come must not pile up in the kept state.
_MAX_CALLS = 200


@dataclass(frozen=True, slots=True)
class Entry:
    """A message and the conversation it belongs to."""

    session_id: str
    source: str
    message: NewMessage


@dataclass(slots=True)
class Reading:
    """A file being read: its format ("" while unknown), its session, and the tools just called.

    `line_id` names the line by its content and position, for messages that bring no id; dates that
    name no zone are in `zone`.
    """

    format: str
    session_id: str
    zone: tzinfo = UTC
    calls: dict[str, str] = field(default_factory=dict[str, str])
    line_id: str = ""

    def remember_call(self, call_id: str, tool: str) -> None:
        """Remember the name of a tool until its result comes."""
        self.calls[call_id] = tool
        for oldest in list(self.calls)[:-_MAX_CALLS]:
            del self.calls[oldest]

    def take_call(self, call_id: str) -> str:
        """The name of the tool whose result this is, once; empty when it was not remembered."""
        return self.calls.pop(call_id, "")

    def as_state(self) -> dict[str, object]:
        """What is kept in the database."""
        return {"format": self.format, "session_id": self.session_id, "calls": dict(self.calls)}

    @classmethod
    def of_state(cls, state: Mapping[str, object], zone: tzinfo) -> Self:
        """The reading as it was kept."""
        calls = cast("dict[str, str]", state["calls"])
        return cls(str(state["format"]), str(state["session_id"]), zone, dict(calls))
