"""The rules of retention: what may go, and that no trace of it stays in its neighbours' windows."""

from datetime import UTC, datetime, timedelta

from mcp_memory.config import RetentionRule, TranscriptsConfig
from mcp_memory.db.connection import Connection
from mcp_memory.db.session import Session
from mcp_memory.transcripts.indexing import NEIGHBOUR_CHARS, windows
from mcp_memory.transcripts.models import Removal
from mcp_memory.transcripts.retention import store
from mcp_memory.transcripts.store import change_contexts


class Retention:
    """Removes what the configuration, or a person, lets go; summaries stay."""

    def __init__(self, settings: TranscriptsConfig) -> None:
        self._settings = settings

    async def apply(self, session: Session, *, dry_run: bool = False) -> list[Removal]:
        """Apply each rule that is configured, to every agent's messages."""
        return [
            await self.remove(session, source, rule, dry_run=dry_run)
            for source, rule in self._settings.retention.items()
        ]

    async def remove(
        self, session: Session, source: str, rule: RetentionRule, *, dry_run: bool = False
    ) -> Removal:
        """Remove what the rule lets go of the source. A dry run does it and takes it back."""
        async with (
            session.maintaining() as conn,
            conn.transaction(force_rollback=dry_run),
        ):
            return await _remove(conn, source, rule)


async def _remove(conn: Connection, source: str, rule: RetentionRule) -> Removal:
    await store.lock_conversations(conn, source)
    before = None
    if rule.max_days is not None:
        before = datetime.now(UTC) - timedelta(days=rule.max_days)
    excess = 0
    if rule.max_bytes is not None:
        excess = max(0, await store.size(conn, source) - rule.max_bytes)
    remove = store.remove_spans if rule.only_summarized else store.remove_messages
    losses = await remove(conn, source, before, excess)
    for loss in losses:
        await store.recount(conn, loss.session)
        await _close_windows(conn, loss.session)
    return Removal(
        source, sum(loss.messages for loss in losses), sum(loss.bytes for loss in losses)
    )


async def _close_windows(conn: Connection, conversation: int) -> None:
    """Take what was removed out of the windows of what stood beside it."""
    neighbours = await store.read_neighbours(conn, conversation, NEIGHBOUR_CHARS)
    if changes := list(windows(neighbours, {near.message for near in neighbours})):
        await change_contexts(conn, changes)
