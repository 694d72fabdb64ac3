"""The tools of the memory graph."""

from collections.abc import Sequence

from mcp_memory.app import App
from mcp_memory.server.tools.graph_recall import graph_reading_tools
from mcp_memory.server.tools.graph_writing import graph_writing_tools
from mcp_memory.server.toolset import MemoryTool


def graph_tools(app: App) -> Sequence[MemoryTool]:
    """Every memory_graph tool."""
    return [*graph_reading_tools(app), *graph_writing_tools(app)]
