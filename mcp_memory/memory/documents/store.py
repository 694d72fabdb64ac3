"""The SQL of documents: each statement above the function that runs it."""

from datetime import datetime, timedelta

from psycopg.rows import class_row

from mcp_memory.memory.documents.models import Document, DocumentEntry
from mcp_memory.postgres.connection import Connection

_LOCK_PATH = """
SELECT pg_advisory_xact_lock(hashtextextended(%(agent)s || '/' || %(path)s, 0))
"""


async def lock_path(conn: Connection, agent: str, path: str) -> None:
    """Until the transaction ends, nobody else writes this agent's document of that path."""
    await conn.execute(_LOCK_PATH, {"agent": agent, "path": path})


_OWN = """
SELECT id, agent_id, shared, path, title, tags, version, tokens, sha256, occurred_at, updated_at
FROM documents
WHERE agent_id = %(agent)s AND path = %(path)s AND deleted_at IS NULL
"""


async def own(conn: Connection, agent: str, path: str) -> Document | None:
    """The agent's own living document of that path."""
    async with conn.cursor(row_factory=class_row(Document)) as cursor:
        return await (await cursor.execute(_OWN, {"agent": agent, "path": path})).fetchone()


_READABLE = """
SELECT id, agent_id, shared, path, title, tags, version, tokens, sha256, occurred_at, updated_at
FROM documents
WHERE path = %(path)s AND deleted_at IS NULL
  AND (%(owner)s::text IS NULL OR agent_id = %(owner)s)
  AND visible(agent_id, shared)
ORDER BY agent_id = current_agent() DESC, agent_id
LIMIT 20
"""


async def readable(conn: Connection, path: str, owner: str | None) -> list[Document]:
    """Every visible document of that path, the caller's own first."""
    async with conn.cursor(row_factory=class_row(Document)) as cursor:
        await cursor.execute(_READABLE, {"path": path, "owner": owner})
        return await cursor.fetchall()


_ADD = """
INSERT INTO documents (agent_id, shared, path, title, tags, tokens, sha256, occurred_at)
VALUES (%(agent_id)s, %(shared)s, %(path)s, %(title)s, %(tags)s, %(tokens)s, %(sha256)s,
        %(occurred_at)s)
RETURNING id, agent_id, shared, path, title, tags, version, tokens, sha256, occurred_at, updated_at
"""


async def add(conn: Connection, document: Document) -> Document:
    """The document as it was added, at version 1; id, version and times are the database's."""
    async with conn.cursor(row_factory=class_row(Document)) as cursor:
        row = await (await cursor.execute(_ADD, _parameters(document))).fetchone()
    assert row is not None
    return row


_CHANGE = """
UPDATE documents
SET shared = %(shared)s, title = %(title)s, tags = %(tags)s, tokens = %(tokens)s,
    sha256 = %(sha256)s, occurred_at = %(occurred_at)s,
    version = version + 1, updated_at = now()
WHERE id = %(id)s
RETURNING id, agent_id, shared, path, title, tags, version, tokens, sha256, occurred_at, updated_at
"""


async def change(conn: Connection, document: Document) -> Document:
    """The document with these values, one version on."""
    async with conn.cursor(row_factory=class_row(Document)) as cursor:
        row = await (await cursor.execute(_CHANGE, _parameters(document))).fetchone()
    assert row is not None
    return row


def _parameters(document: Document) -> dict[str, object]:
    return {
        "id": document.id,
        "agent_id": document.agent_id,
        "shared": document.shared,
        "path": document.path,
        "title": document.title,
        "tags": document.tags,
        "tokens": document.tokens,
        "sha256": document.sha256,
        "occurred_at": document.occurred_at,
    }


_ADD_VERSION = """
INSERT INTO document_versions (document_id, version, agent_id, shared, content)
VALUES (%(document_id)s, %(version)s, %(agent)s, %(shared)s, %(content)s)
"""


async def add_version(conn: Connection, document: Document, content: str) -> None:
    """Keep the text of the document's current version."""
    await conn.execute(
        _ADD_VERSION,
        {
            "document_id": document.id,
            "version": document.version,
            "agent": document.agent_id,
            "shared": document.shared,
            "content": content,
        },
    )


_TEXT_OF_VERSION = """
SELECT content, written_at
FROM document_versions
WHERE document_id = %(id)s AND version = %(version)s
"""


async def text_of_version(
    conn: Connection, document_id: int, version: int
) -> tuple[str, datetime] | None:
    """The text of one version and when it was written, if it is visible."""
    row = await (
        await conn.execute(_TEXT_OF_VERSION, {"id": document_id, "version": version})
    ).fetchone()
    return None if row is None else (str(row[0]), row[1])


async def content(conn: Connection, document_id: int, version: int) -> str | None:
    """The text of one version, if it is visible."""
    row = await text_of_version(conn, document_id, version)
    return None if row is None else row[0]


_ENTRIES = """
SELECT path, title, version, updated_at, tokens, shared, agent_id AS owner
FROM documents
WHERE deleted_at IS NULL
  AND visible(agent_id, shared)
  AND (%(prefix)s::text IS NULL OR starts_with(path, %(prefix)s))
  AND (%(tags)s::text[] IS NULL OR tags @> %(tags)s)
  AND (path COLLATE "C", agent_id COLLATE "C") > (%(after_path)s, %(after_owner)s)
ORDER BY path COLLATE "C", agent_id COLLATE "C"
LIMIT %(limit)s
"""


async def entries(
    conn: Connection,
    *,
    prefix: str | None,
    tags: list[str] | None,
    after: tuple[str, str],
    limit: int,
) -> list[DocumentEntry]:
    """Visible documents after a position in the order of path and owner."""
    async with conn.cursor(row_factory=class_row(DocumentEntry)) as cursor:
        await cursor.execute(
            _ENTRIES,
            {
                "prefix": prefix,
                "tags": tags,
                "after_path": after[0],
                "after_owner": after[1],
                "limit": limit,
            },
        )
        return await cursor.fetchall()


_DELETE = """
UPDATE documents
SET deleted_at = now()
WHERE id = %(id)s
RETURNING deleted_at
"""


async def delete(conn: Connection, document_id: int) -> datetime:
    """Mark the document deleted; when."""
    row = await (await conn.execute(_DELETE, {"id": document_id})).fetchone()
    assert row is not None
    return row[0]


_LAST_DELETED = """
SELECT id, agent_id, shared, path, title, tags, version, tokens, sha256, occurred_at, updated_at
FROM documents
WHERE agent_id = %(agent)s AND path = %(path)s
  AND deleted_at > now() - make_interval(days => %(recovery_days)s)
ORDER BY deleted_at DESC
LIMIT 1
"""


async def last_deleted(
    conn: Connection, agent: str, path: str, recovery_days: int
) -> Document | None:
    """The document of that path that was deleted last, while it can be brought back."""
    async with conn.cursor(row_factory=class_row(Document)) as cursor:
        await cursor.execute(
            _LAST_DELETED, {"agent": agent, "path": path, "recovery_days": recovery_days}
        )
        return await cursor.fetchone()


async def restore(conn: Connection, document_id: int) -> None:
    """Take the mark of deletion away."""
    await conn.execute(
        "UPDATE documents SET deleted_at = NULL WHERE id = %(id)s", {"id": document_id}
    )


_PURGE = """
DELETE FROM documents
WHERE agent_id = %(agent)s AND path = %(path)s
"""


async def purge(conn: Connection, agent: str, path: str) -> int:
    """Remove every document of that path, living or deleted, with all of it; how many."""
    return (await conn.execute(_PURGE, {"agent": agent, "path": path})).rowcount


_PURGE_EXPIRED = """
DELETE FROM documents
WHERE deleted_at <= now() - %(age)s
  AND (%(owner)s::text IS NULL OR agent_id = %(owner)s)
"""


async def purge_expired(conn: Connection, age: timedelta, owner: str | None) -> int:
    """Remove what was deleted longer ago, of one owner or of all; how many documents."""
    return (await conn.execute(_PURGE_EXPIRED, {"age": age, "owner": owner})).rowcount


_PENDING = """
SELECT count(*)
FROM documents d
JOIN chunks c ON c.document_id = d.id
JOIN vector_jobs j ON j.chunk_id = c.id
JOIN vector_spaces m ON m.id = j.space_id AND m.state = 'active'
WHERE d.agent_id = current_agent() AND d.path = %(path)s AND d.deleted_at IS NULL
"""


async def pending(conn: Connection, path: str) -> int:
    """How many chunks of one's own document wait for their vector in the active space."""
    row = await (await conn.execute(_PENDING, {"path": path})).fetchone()
    assert row is not None
    return int(row[0])


_LINES_AROUND_CHUNK = """
SELECT d.id, d.agent_id, d.shared, d.path, d.title, d.tags, d.version, d.tokens, d.sha256,
       d.occurred_at, d.updated_at,
       (SELECT min(n.start_line) FROM chunks n
        WHERE n.document_id = d.id AND n.position BETWEEN c.position - 1 AND c.position + 1)
       AS start_line,
       (SELECT max(n.end_line) FROM chunks n
        WHERE n.document_id = d.id AND n.position BETWEEN c.position - 1 AND c.position + 1)
       AS end_line
FROM chunks c
JOIN documents d ON d.id = c.document_id
WHERE c.id = %(chunk_id)s AND d.deleted_at IS NULL
"""


async def around_chunk(conn: Connection, chunk_id: int) -> tuple[Document, int, int] | None:
    """The document of a chunk, with the first and last line of the chunk and its neighbours."""
    row = await (await conn.execute(_LINES_AROUND_CHUNK, {"chunk_id": chunk_id})).fetchone()
    if row is None:
        return None
    return Document(*row[:11]), int(row[11]), int(row[12])


_COUNT = """
SELECT (SELECT count(*) FROM documents d
        WHERE d.deleted_at IS NULL AND visible(d.agent_id, d.shared)) AS documents,
       (SELECT count(*) FROM chunks c WHERE visible(c.agent_id, c.shared)) AS chunks
"""


async def count(conn: Connection) -> tuple[int, int]:
    """How many documents and chunks the caller can see."""
    row = await (await conn.execute(_COUNT)).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])
