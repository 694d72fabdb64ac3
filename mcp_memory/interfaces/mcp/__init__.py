"""The MCP server: its tools, resources and prompts, and the stdio transport."""
