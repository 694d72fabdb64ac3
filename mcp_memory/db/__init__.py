"""PostgreSQL: named databases, their pools and roles, migrations, and the embedded cluster."""
