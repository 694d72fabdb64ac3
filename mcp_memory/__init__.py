"""mcp-memory: a memory server for agents, on PostgreSQL."""

from importlib.metadata import version

__version__ = version("mcp-memory-postgres")
