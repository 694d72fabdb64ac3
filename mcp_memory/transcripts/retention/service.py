"""The rules of retention: what may go, and that no trace of it stays in its neighbours' windows."""

from datetime import UTC, datetime, timedelta

from mcp_memory.config import RetentionRule, TranscriptsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.transcripts import store as messages
from mcp_memory.transcripts.indexing import NEIGHBOUR_CHARS, text_hash, windows
from mcp_memory.transcripts.models import Removed
from mcp_memory.transcripts.retention import store


class Retention:
    """Removes what the configuration, or a person, lets go; summaries stay."""

    def __init__(self, databases: Databases, settings: TranscriptsConfig) -> None:
        self._databases, self._settings = databases, settings

    async def apply(
        self, agent: str, *, dry_run: bool = False, database: str | None = None
    ) -> list[Removed]:
        """Apply each rule that is configured, to every agent's messages."""
        return [
            await self.remove(agent, source, rule, dry_run=dry_run, database=database)
            for source, rule in self._settings.retention.items()
        ]

    async def remove(
        self,
        agent: str,
        source: str,
        rule: RetentionRule,
        *,
        dry_run: bool = False,
        database: str | None = None,
    ) -> Removed:
        """Remove what the rule lets go of the source. A dry run does it and takes it back."""
        chosen = await self._databases.reading(database, agent)

        async def remove(conn: Connection) -> Removed:
            async with conn.transaction(force_rollback=dry_run):
                return await _removed(conn, source, rule)

        return await chosen.maintain(remove)


async def _removed(conn: Connection, source: str, rule: RetentionRule) -> Removed:
    await store.lock_sessions(conn, source)
    before = None
    if rule.max_days is not None:
        before = datetime.now(UTC) - timedelta(days=rule.max_days)
    excess = 0
    if rule.max_bytes is not None:
        excess = max(0, await store.size(conn, source) - rule.max_bytes)
    remove = store.remove_spans if rule.only_summarized else store.remove_messages
    gone = await remove(conn, source, before, excess)
    for each in gone:
        await store.recount(conn, each.session)
        await _close_windows(conn, each.session)
    return Removed(source, sum(each.messages for each in gone), sum(each.bytes for each in gone))


async def _close_windows(conn: Connection, session: int) -> None:
    """Take what was removed out of the windows of what stood beside it."""
    spoken = await store.spoken(conn, session, NEIGHBOUR_CHARS)
    found = windows(spoken, {each.message for each in spoken})
    contexts = [(message, text, text_hash(text)) for message, text in found]
    if contexts:
        await messages.change_contexts(conn, contexts)
