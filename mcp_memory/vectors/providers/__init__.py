"""The embedding models: local ones and those behind an endpoint."""
