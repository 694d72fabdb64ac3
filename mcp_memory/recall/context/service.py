"""Reading around a search result: one lookup for each kind of memory."""

import re
from collections.abc import Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.documents import excerpts
from mcp_memory.documents.models import Excerpt
from mcp_memory.errors import ChunkNotFound
from mcp_memory.graph.names import memory_id
from mcp_memory.graph.provenance import caution
from mcp_memory.graph.reading.store import entities_of
from mcp_memory.recall.context import store
from mcp_memory.recall.context.models import MemoryExcerpt
from mcp_memory.recall.context.store import MessageLines
from mcp_memory.text.chunking import split_lines

_CHUNK_ID = re.compile(r"[0-9]{1,19}")


class ResultContext:
    """The context of search results: the lines around them, in every named database."""

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def read(self, agent: str, result_id: str, *, database: str | None = None) -> Excerpt:
        """The lines of a result together with its neighbours'."""
        number = int(result_id) if _CHUNK_ID.fullmatch(result_id) else -1
        chosen = await self._databases.reading(database, agent)

        async def read(conn: Connection) -> Excerpt:
            for around in (excerpts.around, _of_memory, _of_messages):
                if 0 <= number < 2**63 and (found := await around(conn, number)) is not None:
                    return found
            raise ChunkNotFound(result_id)

        return await chosen.read(agent, read)


async def _of_memory(conn: Connection, chunk_id: int) -> MemoryExcerpt | None:
    found = await store.of_memory(conn, chunk_id)
    if found is None:
        return None
    lines = split_lines(found.content)
    text = "\n".join(lines[found.start_line - 1 : found.end_line])
    version = found.memory_id, found.version
    return MemoryExcerpt(
        path=f"graph/{memory_id(found.memory_id)}",
        text=text,
        start_line=found.start_line,
        end_line=found.end_line,
        total_lines=len(lines),
        version=found.version,
        updated_at=found.recorded_at,
        owner=found.agent_id,
        memory_id=memory_id(found.memory_id),
        memory_type=found.memory_type,
        entities=(await entities_of(conn, [version])).get(version, []),
        valid_from=found.valid_from,
        valid_until=found.valid_until,
        trust=found.trust,
        caution=caution(found.trust, found.source, text),
    )


async def _of_messages(conn: Connection, chunk_id: int) -> Excerpt | None:
    """Each message counts as a line: the numbers are those of messages in the session."""
    found = await store.of_messages(conn, chunk_id)
    if not found:
        return None
    return Excerpt(
        path=found[0].session_id,
        text=_said(found),
        start_line=found[0].seq,
        end_line=found[-1].seq,
        total_lines=found[0].messages,
        version=1,
        updated_at=found[-1].created_at,
        owner=found[0].agent_id,
    )


def _said(messages: Sequence[MessageLines]) -> str:
    """Who said what, one after the other; of a long message only the lines that are near."""
    return "\n".join(
        f"{each.name}: " + "\n".join(split_lines(each.content)[each.start_line - 1 : each.end_line])
        for each in messages
    )
