"""The embedded cluster: a PostgreSQL of our own, shared by all processes of a user."""
