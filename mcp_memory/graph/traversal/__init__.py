"""Traversal from entity to entity and from memory to memory, along what relates them."""
