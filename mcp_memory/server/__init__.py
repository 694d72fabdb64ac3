"""The MCP server: tools, resources and prompts over the services of an app."""
