"""The command line: `mcp-memory`, one module per group of commands."""

from mcp_memory.interfaces.cli.program import main

__all__ = ["main"]
