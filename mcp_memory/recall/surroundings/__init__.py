"""What stands around a search result, whatever kind of memory it is of."""
