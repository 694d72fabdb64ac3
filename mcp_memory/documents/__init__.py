"""Markdown documents: written, versioned, listed, read by lines, deleted and brought back."""
