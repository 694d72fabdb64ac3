"""Conversations out of the files that agents write: each line once, and as the files grow."""
