"""Lines of a document: those that are asked for, or those around what a search found."""

from mcp_memory.db.connection import Connection
from mcp_memory.documents import store
from mcp_memory.documents.models import Document, Excerpt
from mcp_memory.errors import DocumentNotFound, InvalidInput


async def excerpt(
    conn: Connection, document: Document, version: int, first: int, last: int | None
) -> Excerpt:
    """The lines `first` to `last` of that version; None is its last line.

    The whole document is given as it was written, to its last newline.
    """
    row = await store.text_of_version(conn, document.id, version)
    if row is None:
        raise DocumentNotFound(
            document.path, hint=f" It has no version {version}; the newest is {document.version}."
        )
    text, written_at = row
    lines = text.split("\n")
    total = len(lines) - 1 if text.endswith("\n") else len(lines)
    if not 1 <= first <= max(total, 1):
        raise InvalidInput("start_line", f"{document.path!r} has {total} lines")
    end = total if last is None else min(last, total)
    return Excerpt(
        path=document.path,
        text=text if (first, end) == (1, total) else "\n".join(lines[first - 1 : end]),
        start_line=first,
        end_line=end,
        total_lines=total,
        version=version,
        updated_at=document.updated_at if version == document.version else written_at,
        owner=document.agent_id,
    )


async def around(conn: Connection, chunk_id: int) -> Excerpt | None:
    """The lines of a visible document's chunk and of its neighbours."""
    row = await store.around_chunk(conn, chunk_id)
    if row is None:
        return None
    document, first, last = row
    return await excerpt(conn, document, document.version, first, last)
