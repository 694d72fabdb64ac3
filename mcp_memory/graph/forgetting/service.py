"""The rules of forgetting; each public method is one transaction."""

from datetime import timedelta, tzinfo

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.config import LimitsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.session import Session
from mcp_memory.errors import FactConflict, FactNotFound, InvalidInput
from mcp_memory.graph import store as facts
from mcp_memory.graph import writing
from mcp_memory.graph.entities import store as entities
from mcp_memory.graph.forgetting import store
from mcp_memory.graph.models import FactHead, ForgetResult
from mcp_memory.graph.names import fact_id
from mcp_memory.graph.statements import store as statements_store
from mcp_memory.spaces.service import Spaces
from mcp_memory.spaces.word_counts import WordCounts


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
            head = await writing.lock_own(conn, session.agent, id, forgotten=True)
            if head.forgotten_at is None:
                await _forget(conn, session.agent, [head.id], reason)
            when, _ = await store.get_forgotten_at(conn, head.id, self._limits.recovery_days)
        return ForgetResult(fact_id(head.id), forgotten_at=when)

    async def restore(self, session: Session, id: str) -> ForgetResult:
        """Bring a forgotten fact back, with every version as it was."""
        async with session.writing(create=False) as conn:
            head = await writing.lock_own(conn, session.agent, id, forgotten=True)
            when, is_kept = await store.get_forgotten_at(conn, head.id, self._limits.recovery_days)
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
            await facts.lock_chains(conn)
            head = await writing.lock_own(conn, session.agent, id, forgotten=True)
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
            numbers = await store.lock_of_source(conn, source)
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
            outdated = await store.find_outdated(conn, least_age, owner)
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
    await facts.lock_chains(conn)
    heads = await facts.lock(conn, [number])
    if not heads or not await store.is_outdated(conn, number, age):
        return 0
    await _purge(conn, heads[0])
    return 1


async def _forget(conn: Connection, agent: str, numbers: list[int], reason: str) -> None:
    await store.mark_forgotten(conn, numbers, reason)
    await facts.settle(conn, numbers)
    for number in numbers:
        await _record(conn, agent, "forget", number)


async def _record(conn: Connection, agent: str, act: str, number: int) -> None:
    await audit.record(conn, Event(agent, act, "memory", fact_id(number)))


async def _restore(conn: Connection, head: FactHead, zone: tzinfo) -> None:
    await store.unmark_forgotten(conn, head.id)
    for version in await facts.get_versions(conn, head.id):
        statements = await statements_store.get_statements(conn, version)
        await writing.index_version(conn, version, statements, zone)
    await facts.settle(conn, [head.id])


async def _purge(conn: Connection, head: FactHead) -> None:
    """The fact and whatever name nobody else uses; its neighbours in the chain join hands."""
    await entities.lock_alone(conn)
    entity_ids = await store.get_entity_ids(conn, [head.id])
    await store.remove_from_chain(conn, head.id, head.supersedes)
    await store.remove_fact(conn, head.id)
    await entities.remove_unused_names(conn, entity_ids)
