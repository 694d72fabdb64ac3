"""Forgetting facts: marked, restored or purged, one by one or by their source."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo

from mcp_memory.config import LimitsConfig
from mcp_memory.errors import FactConflict, FactNotFound, InvalidInput
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.memory.facts import entities, relations, store, write
from mcp_memory.memory.facts.model import FactHead, ForgetResult, fact_id
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session
from mcp_memory.vectors.service import Spaces
from mcp_memory.vectors.word_counts import WordCounts

_FORGET = """
UPDATE memories
SET forgotten_at = now(), forgotten_because = %(reason)s
WHERE id = ANY (%(ids)s)
"""


async def mark_forgotten(conn: Connection, numbers: Sequence[int], reason: str) -> None:
    """Mark these facts forgotten, and take them out of every search."""
    await conn.execute(_FORGET, {"ids": list(numbers), "reason": reason})
    await conn.execute("DELETE FROM chunks WHERE memory_id = ANY (%(ids)s)", {"ids": list(numbers)})


_FORGOTTEN_AT = """
SELECT forgotten_at, forgotten_at > now() - make_interval(days => %(recovery_days)s)
FROM memories
WHERE id = %(id)s
"""


async def get_forgotten_at(
    conn: Connection, number: int, recovery_days: int
) -> tuple[datetime | None, bool]:
    """When the fact was forgotten, and whether it can still be brought back."""
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


async def unmark_forgotten(conn: Connection, number: int) -> None:
    """Take the mark away."""
    await conn.execute(_RESTORE, {"id": number})


_ENTITIES = """
SELECT DISTINCT entity_id
FROM memory_mentions
WHERE memory_id = ANY (%(ids)s)
"""


async def get_entity_ids(conn: Connection, numbers: Sequence[int]) -> list[int]:
    """The entities that these facts speak of, in any version."""
    rows = await (await conn.execute(_ENTITIES, {"ids": list(numbers)})).fetchall()
    return [int(row[0]) for row in rows]


# What stood before and after a purged fact stays one chain.
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


async def remove_from_chain(conn: Connection, number: int, older: int | None) -> None:
    """Take the fact out of its chain."""
    await conn.execute(_UNCHAIN, {"id": number})
    await conn.execute(_RECHAIN, {"id": number, "older": older})


async def remove_fact(conn: Connection, number: int) -> None:
    """Remove the fact with all its versions and everything derived of them."""
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


async def lock_of_source(conn: Connection, source: str) -> list[int]:
    """The caller's facts whose newest version comes from exactly this source, held."""
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


async def find_outdated(
    conn: Connection, age: timedelta, owner: str | None
) -> list[tuple[int, str]]:
    """What was forgotten or has expired longer ago, of one owner or of all: number and owner."""
    rows = await (await conn.execute(_OUTDATED, {"age": age, "owner": owner})).fetchall()
    return [(int(row[0]), str(row[1])) for row in rows]


_IS_OUTDATED = """
SELECT coalesce(forgotten_at <= now() - %(age)s OR expires_at <= now() - %(age)s, false)
FROM memories
WHERE id = %(id)s
"""


async def is_outdated(conn: Connection, number: int, age: timedelta) -> bool:
    """Whether the fact, which the caller holds, was not brought back meanwhile."""
    row = await (await conn.execute(_IS_OUTDATED, {"id": number, "age": age})).fetchone()
    return row is not None and bool(row[0])


class Forgetting:
    """Takes facts out of everything at once, and out of the tables when they are purged."""

    def __init__(
        self,
        spaces: Spaces,
        word_counts: WordCounts,
        limits: LimitsConfig,
        zone: tzinfo,
    ) -> None:
        self._spaces, self._word_counts = spaces, word_counts
        self._limits, self._zone = limits, zone

    async def forget(self, session: Session, id: str, *, reason: str = "") -> ForgetResult:
        """Take one's own fact out of every search; undo brings it back for a while."""
        async with session.writing(create=False) as conn:
            head = await write.lock_own(conn, session.agent, id, forgotten=True)
            if head.forgotten_at is None:
                await _forget(conn, session.agent, [head.id], reason)
            when, _ = await get_forgotten_at(conn, head.id, self._limits.recovery_days)
        return ForgetResult(fact_id(head.id), forgotten_at=when)

    async def restore(self, session: Session, id: str) -> ForgetResult:
        """Bring a forgotten fact back, with every version as it was."""
        async with session.writing(create=False) as conn:
            head = await write.lock_own(conn, session.agent, id, forgotten=True)
            when, is_kept = await get_forgotten_at(conn, head.id, self._limits.recovery_days)
            if when is None:
                raise FactConflict(f"{fact_id(head.id)} is not forgotten.")
            if not is_kept:
                raise FactNotFound(id)
            await _restore(conn, head, self._zone)
            await _record(conn, session.agent, "restore", head.id)
        await self._spaces.follow(await session.open())
        return ForgetResult(fact_id(head.id), restored=True)

    async def purge(self, session: Session, id: str) -> ForgetResult:
        """Remove one's own fact, forgotten or not, with everything that only it said."""
        async with session.writing(create=False) as conn:
            await store.lock_chains(conn)
            head = await write.lock_own(conn, session.agent, id, forgotten=True)
            await _purge(conn, head)
            # Without its id: no trace is to be left.
            await audit.record(conn, Event(session.agent, "purge", "memory", ""))
        await self._word_counts.merge_if_possible(await session.open())
        return ForgetResult(fact_id(head.id), purged=True)

    async def revoke(self, session: Session, source: str, *, dry_run: bool = False) -> list[str]:
        """Forget all of one's own facts that come from this source; their ids.

        A dry run does it and takes it back. Nothing that has no source is ever meant.
        """
        if not source.strip():
            raise InvalidInput("source", "is empty; name the source to revoke")
        async with (
            session.writing(create=False) as conn,
            conn.transaction(force_rollback=dry_run),
        ):
            numbers = await lock_of_source(conn, source)
            await _forget(conn, session.agent, numbers, "revoked")
        return [fact_id(number) for number in numbers]

    async def purge_outdated(
        self,
        session: Session,
        *,
        owner: str | None = None,
        age: timedelta | None = None,
        dry_run: bool = False,
    ) -> int:
        """Remove for good what was forgotten, or has expired, longer ago than `age`; how many.

        Of every agent, or of one owner; None is the time in which it can be brought back.
        """
        database = await session.open()
        least_age = timedelta(days=self._limits.recovery_days) if age is None else age
        async with database.maintaining() as conn:
            outdated = await find_outdated(conn, least_age, owner)
        if dry_run:
            return len(outdated)
        count = 0
        for number, agent in outdated:
            async with database.writing(agent) as conn:
                count += await _purge_outdated(conn, number, least_age)
        await self._word_counts.merge_if_possible(database)
        return count


async def _purge_outdated(conn: Connection, number: int, age: timedelta) -> int:
    """Purge the caller's fact unless it was brought back since it was found; how many went."""
    await store.lock_chains(conn)
    heads = await store.lock(conn, [number])
    if not heads or not await is_outdated(conn, number, age):
        return 0
    await _purge(conn, heads[0])
    return 1


async def _forget(conn: Connection, agent: str, numbers: list[int], reason: str) -> None:
    await mark_forgotten(conn, numbers, reason)
    await store.settle(conn, numbers)
    for number in numbers:
        await _record(conn, agent, "forget", number)


async def _record(conn: Connection, agent: str, act: str, number: int) -> None:
    await audit.record(conn, Event(agent, act, "memory", fact_id(number)))


async def _restore(conn: Connection, head: FactHead, zone: tzinfo) -> None:
    await unmark_forgotten(conn, head.id)
    for version in await store.get_versions(conn, head.id):
        statements = await relations.get_statements(conn, version)
        await write.index_version(conn, version, statements, zone)
    await store.settle(conn, [head.id])


async def _purge(conn: Connection, head: FactHead) -> None:
    """The fact and whatever name nobody else uses; its neighbours in the chain join hands."""
    await entities.lock_alone(conn)
    entity_ids = await get_entity_ids(conn, [head.id])
    await remove_from_chain(conn, head.id, head.supersedes)
    await remove_fact(conn, head.id)
    await entities.remove_unused_names(conn, entity_ids)
