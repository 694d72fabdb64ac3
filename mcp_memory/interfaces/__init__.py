"""The outside: each interface translates calls and answers, and holds no rules and no SQL."""
