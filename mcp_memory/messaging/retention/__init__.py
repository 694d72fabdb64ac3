"""Letting go of mail that is over, when a person has said so, and of the outbox's old rings."""
