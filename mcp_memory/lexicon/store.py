"""The SQL of word counts; run as the worker."""

from mcp_memory.db.connection import Connection

CHANGES_AT_ONCE = 1000


async def merge(conn: Connection) -> int:
    """Add up to `CHANGES_AT_ONCE` noted changes to the counts; how many there were."""
    found = await conn.execute("SELECT merge_lexemes(%(most)s)", {"most": CHANGES_AT_ONCE})
    row = await found.fetchone()
    assert row is not None
    return int(row[0])
