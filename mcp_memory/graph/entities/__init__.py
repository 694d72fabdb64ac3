"""Entities: what a name means, and that two of them are one."""
