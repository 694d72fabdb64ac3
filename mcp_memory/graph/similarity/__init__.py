"""What is similar to a new memory, or contradicts it: proposed, never acted on."""
