"""Typed facts, their entities and relations, each true for a span of time."""
