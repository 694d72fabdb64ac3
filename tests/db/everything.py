"""What isolation is tested with: a private and a shared document, and a look at every row."""

from psycopg import sql

from mcp_memory.memory.documents.models import WriteDocument
from mcp_memory.postgres.connection import Connection

SECRET = WriteDocument("diary.md", "alice keeps a marmalade secret", tags=["private"])
NOTICE = WriteDocument("notice.md", "the marmalade notice is for everyone", shared=True)

TABLES = """
SELECT c.relname::text
FROM pg_class c
WHERE c.relnamespace = 'mcp_memory'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY 1
"""

# What holds no rows of agents: the history, and the list of what is protected.
OPEN_TABLES = {"functions", "migrations", "protected_tables"}


async def all_rows_of_every_table(conn: Connection) -> str:
    """What one sees who asks for everything, without any WHERE of ours."""
    tables = [str(row[0]) for row in await (await conn.execute(TABLES)).fetchall()]
    seen: list[str] = []
    for table in set(tables) - OPEN_TABLES:
        statement = sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(table))
        found = await conn.execute(statement)
        seen += [str(row[0]) for row in await found.fetchall()]
    return "\n".join(seen)
