"""When a text is about: the times it names, as spans of days."""
