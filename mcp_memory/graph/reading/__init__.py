"""What is remembered, as of an instant and as it was known at another."""
