"""PostgreSQL: connections, sessions, roles, notifications and migrations."""
