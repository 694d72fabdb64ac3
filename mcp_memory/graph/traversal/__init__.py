"""Traversal from entity to entity and from fact to fact, along what relates them."""
