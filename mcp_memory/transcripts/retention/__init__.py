"""Letting go of old messages: by age or by size of a source, only when a person has said so."""
