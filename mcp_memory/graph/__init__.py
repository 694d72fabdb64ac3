"""Facts with a type, true for a span of time, and the entities they speak of."""
