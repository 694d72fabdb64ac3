"""What is similar to a new fact, or contradicts it: proposed, never acted on."""
