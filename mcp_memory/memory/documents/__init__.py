"""Markdown documents: every version, their chunks, and what is deleted."""
