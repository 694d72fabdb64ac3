"""Moving a memory as a whole: archives of PostgreSQL's own format, checked row by row."""
