"""Forgetting: taken back while it can be, removed without a trace after."""
