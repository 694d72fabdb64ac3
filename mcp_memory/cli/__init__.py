"""The command line: `mcp-memory`, one module per group of commands."""

from mcp_memory.cli.program import main

__all__ = ["main"]
