"""The SQL of hooks: the document a session begins with."""

from mcp_memory.db.connection import Connection

_DOCUMENT = """
SELECT v.content
FROM documents d
JOIN document_versions v ON v.document_id = d.id AND v.version = d.version
WHERE d.agent_id = current_agent() AND d.path = %(path)s AND d.deleted_at IS NULL
"""


async def document(conn: Connection, path: str) -> str:
    """The caller's own document of that path; empty when there is none."""
    row = await (await conn.execute(_DOCUMENT, {"path": path})).fetchone()
    return "" if row is None else str(row[0])
