"""Keys: which agent a client over HTTP is, and what it may do."""
