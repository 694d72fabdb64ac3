"""The tools, a module a family: a small model and a handler for each action."""
