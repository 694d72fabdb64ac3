"""The prompt by which a person asks an agent to save before its context is compacted."""

from typing import Annotated

from mcp.server.mcpserver import MCPServer
from pydantic import Field

from mcp_memory.transcripts.flushing import RESUME, SAVE

SessionId = Annotated[str, Field(description="This conversation's id, if its messages are kept")]


def add_transcript_prompts(server: MCPServer[object]) -> None:
    """Register the prompt `save_before_compaction`."""

    @server.prompt(
        title="Save before compaction",
        description="Save what must not be lost before the context is compacted.",
    )
    def save_before_compaction(session_id: SessionId = "") -> str:  # pyright: ignore[reportUnusedFunction]  # registered
        name = session_id.strip()
        summarize = (
            f'\n\nThen call transcript with action="summaries" and session_id="{name}" to see what'
            " is summarized already, and with"
            ' action="summarize" for the messages after that: what was decided and why, what was'
            " done, what is open."
            if name
            else ""
        )
        return f"This context is about to be compacted. {SAVE}{summarize}\n\n{RESUME}"
