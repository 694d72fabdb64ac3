"""One step of renewal, inside the transaction of whoever asks for it."""

from collections.abc import Sequence
from datetime import tzinfo

import anyio.to_thread

from mcp_memory.db.connection import Connection
from mcp_memory.renewal import store
from mcp_memory.renewal.store import Stale
from mcp_memory.text.findable import Findable, day_of


async def renew_some(conn: Connection, zone: tzinfo, limit: int) -> int:
    """Renew up to so many chunks; how many there were."""
    return await _renew(conn, zone, await store.stale(conn, limit))


async def renew_document(conn: Connection, zone: tzinfo, document: int) -> None:
    """Renew what the document's chunks are found by, where that was said otherwise."""
    await _renew(conn, zone, await store.stale_of_document(conn, document))


async def _renew(conn: Connection, zone: tzinfo, stale: Sequence[Stale]) -> int:
    if stale:
        lexemes = await anyio.to_thread.run_sync(_lexemes, stale, zone)
        await store.renew(conn, [each.id for each in stale], lexemes)
    return len(stale)


def _lexemes(stale: Sequence[Stale], zone: tzinfo) -> list[str]:
    return [_findable(each, zone).lexemes for each in stale]


def _findable(stale: Stale, zone: tzinfo) -> Findable:
    return Findable(
        stale.heading,
        stale.text,
        day_of(stale.told_at, zone),
        day_of(stale.occurred_at, zone),
        stale.name,
        stale.tags,
    )
