"""Embedding providers: text into vectors, behind one small protocol."""
