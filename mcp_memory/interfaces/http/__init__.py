"""The HTTP server: MCP and REST behind one gate, with health and metrics."""
