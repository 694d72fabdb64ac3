"""The hooks of Claude Code: what they find, and what they add to its context."""
