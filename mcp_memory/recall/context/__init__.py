"""The context that a search result stands in, whatever kind of memory it is of."""
