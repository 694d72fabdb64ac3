"""What is like a new memory, or contradicts it: proposed, never acted on."""
