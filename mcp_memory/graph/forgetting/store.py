"""The SQL of forgetting."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from mcp_memory.db.connection import Connection

_FORGET = """
UPDATE memories
SET forgotten_at = now(), forgotten_because = %(reason)s
WHERE id = ANY (%(ids)s)
"""


async def forget(conn: Connection, numbers: Sequence[int], reason: str) -> None:
    """Mark these memories forgotten, and take them out of every search."""
    await conn.execute(_FORGET, {"ids": list(numbers), "reason": reason})
    await conn.execute("DELETE FROM chunks WHERE memory_id = ANY (%(ids)s)", {"ids": list(numbers)})


_FORGOTTEN_AT = """
SELECT forgotten_at, forgotten_at > now() - make_interval(days => %(recovery_days)s)
FROM memories
WHERE id = %(id)s
"""


async def forgotten_at(
    conn: Connection, number: int, recovery_days: int
) -> tuple[datetime | None, bool]:
    """When the memory was forgotten, and whether it can still be brought back."""
    row = await (
        await conn.execute(_FORGOTTEN_AT, {"id": number, "recovery_days": recovery_days})
    ).fetchone()
    assert row is not None
    return row[0], bool(row[1])


# What says the same may have been stored in the meantime: then this one is no repeat of it.
_RESTORE = """
UPDATE memories m
SET forgotten_at = NULL, forgotten_because = '',
    fingerprint = CASE WHEN EXISTS (
        SELECT
        FROM memories o
        WHERE o.agent_id = m.agent_id AND o.fingerprint = m.fingerprint AND o.forgotten_at IS NULL
    ) THEN NULL ELSE m.fingerprint END
WHERE m.id = %(id)s
"""


async def restore(conn: Connection, number: int) -> None:
    """Take the mark away."""
    await conn.execute(_RESTORE, {"id": number})


_ENTITIES = """
SELECT DISTINCT entity_id
FROM memory_mentions
WHERE memory_id = ANY (%(ids)s)
"""


async def entities_of(conn: Connection, numbers: Sequence[int]) -> list[int]:
    """The entities that these memories speak of, in any version."""
    rows = await (await conn.execute(_ENTITIES, {"ids": list(numbers)})).fetchall()
    return [int(row[0]) for row in rows]


# What stood before and after a purged memory stays one chain.
_UNCHAIN = """
UPDATE memories
SET supersedes = NULL
WHERE id = %(id)s
"""

_RECHAIN = """
UPDATE memories
SET supersedes = %(older)s
WHERE supersedes = %(id)s
"""


async def unchain(conn: Connection, number: int, older: int | None) -> None:
    """Take the memory out of its chain."""
    await conn.execute(_UNCHAIN, {"id": number})
    await conn.execute(_RECHAIN, {"id": number, "older": older})


async def remove(conn: Connection, number: int) -> None:
    """Remove the memory with all its versions and everything derived of them."""
    await conn.execute("DELETE FROM memories WHERE id = %(id)s", {"id": number})


_OF_SOURCE = """
SELECT m.id
FROM memories m
JOIN memory_versions v ON v.memory_id = m.id AND v.version = m.version
WHERE m.agent_id = current_agent() AND m.forgotten_at IS NULL
  AND v.agent_id = current_agent() AND v.source = %(source)s
ORDER BY m.id
FOR NO KEY UPDATE OF m
"""


async def of_source(conn: Connection, source: str) -> list[int]:
    """The caller's memories whose newest version comes from exactly this source, held."""
    return [
        int(row[0]) for row in await (await conn.execute(_OF_SOURCE, {"source": source})).fetchall()
    ]


_OUTDATED = """
SELECT m.id, m.agent_id
FROM memories m
WHERE (m.forgotten_at <= now() - %(age)s OR m.expires_at <= now() - %(age)s)
  AND (%(owner)s::text IS NULL OR m.agent_id = %(owner)s)
ORDER BY m.agent_id, m.id
"""


async def outdated(conn: Connection, age: timedelta, owner: str | None) -> list[tuple[int, str]]:
    """What was forgotten or has expired longer ago, of one owner or of all: number and owner."""
    rows = await (await conn.execute(_OUTDATED, {"age": age, "owner": owner})).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


_IS_OUTDATED = """
SELECT coalesce(forgotten_at <= now() - %(age)s OR expires_at <= now() - %(age)s, false)
FROM memories
WHERE id = %(id)s
"""


async def is_outdated(conn: Connection, number: int, age: timedelta) -> bool:
    """Whether the memory, which the caller holds, was not brought back meanwhile."""
    row = await (await conn.execute(_IS_OUTDATED, {"id": number, "age": age})).fetchone()
    return row is not None and bool(row[0])
