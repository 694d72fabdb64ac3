"""Scripts that make what the package carries as data."""
