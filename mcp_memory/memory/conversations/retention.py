"""Removing old messages by the rules of retention; run as the worker, for every agent."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import LiteralString

from psycopg.rows import class_row

from mcp_memory.config import RetentionRule, TranscriptsConfig
from mcp_memory.memory.conversations.batch import NEIGHBOUR_CHARS, windows
from mcp_memory.memory.conversations.models import Neighbour, Removal
from mcp_memory.memory.conversations.store import change_contexts
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.session import Session


@dataclass(frozen=True, slots=True)
class Loss:
    """What was removed from one conversation."""

    session: int
    messages: int
    bytes: int


# What both end with: the conversations that lost something, and how much.
_LOSSES: LiteralString = """
    RETURNING m.session, octet_length(m.content) AS bytes
)
SELECT session, count(*)::integer AS messages, sum(bytes)::bigint AS bytes
FROM removed
GROUP BY session
"""

# A span is what one summary of messages covers; it goes whole, and only when all of it may go.
_SPANS: LiteralString = """
WITH spans AS (
    SELECT u.id, u.session, u.seq_from, u.seq_to, max(m.created_at) AS last_at,
           sum(octet_length(m.content)) AS bytes
    FROM summaries u
    JOIN session_messages m ON m.session = u.session AND m.seq BETWEEN u.seq_from AND u.seq_to
    WHERE u.depth = 1
    GROUP BY u.id
    HAVING bool_and(m.source = %(source)s)
), aging AS (
    SELECT session, seq_from, seq_to, last_at,
           sum(bytes) OVER (ORDER BY last_at, id) - bytes AS older_bytes
    FROM spans
), removed AS (
    DELETE FROM session_messages m
    USING aging a
    WHERE m.session = a.session AND m.seq BETWEEN a.seq_from AND a.seq_to
      AND (a.last_at < %(before)s OR a.older_bytes < %(excess)s)
"""


async def remove_spans(
    conn: Connection, source: str, before: datetime | None, excess: int
) -> list[Loss]:
    """Remove the spans that ended before an instant, and the oldest beyond so many bytes."""
    return await _remove_by(conn, _SPANS + _LOSSES, source, before, excess)


_MESSAGES: LiteralString = """
WITH aging AS (
    SELECT id, created_at,
           sum(octet_length(content)) OVER (ORDER BY created_at, id) - octet_length(content)
           AS older_bytes
    FROM session_messages
    WHERE source = %(source)s
), removed AS (
    DELETE FROM session_messages m
    USING aging a
    WHERE m.id = a.id AND (a.created_at < %(before)s OR a.older_bytes < %(excess)s)
"""


async def remove_messages(
    conn: Connection, source: str, before: datetime | None, excess: int
) -> list[Loss]:
    """The same message by message, whatever is summarized."""
    return await _remove_by(conn, _MESSAGES + _LOSSES, source, before, excess)


async def _remove_by(
    conn: Connection, statement: LiteralString, source: str, before: datetime | None, excess: int
) -> list[Loss]:
    parameters = {"source": source, "before": before, "excess": excess}
    async with conn.cursor(row_factory=class_row(Loss)) as cursor:
        return await (await cursor.execute(statement, parameters)).fetchall()


_SIZE = """
SELECT coalesce(sum(octet_length(content)), 0)::bigint
FROM session_messages
WHERE source = %(source)s
"""


async def size(conn: Connection, source: str) -> int:
    """How many bytes the messages of the source have."""
    row = await (await conn.execute(_SIZE, {"source": source})).fetchone()
    assert row is not None
    return int(row[0])


_RECOUNT = """
UPDATE sessions s
SET messages = (SELECT count(*) FROM session_messages m WHERE m.session = s.id),
    first_at = (SELECT min(m.created_at) FROM session_messages m WHERE m.session = s.id),
    last_at = (SELECT max(m.created_at) FROM session_messages m WHERE m.session = s.id)
WHERE s.id = %(session)s
"""


async def recount(conn: Connection, conversation: int) -> None:
    """Count anew what the conversation has left."""
    await conn.execute(_RECOUNT, {"session": conversation})


_LOCK = """
SELECT id
FROM sessions
WHERE id IN (SELECT session FROM session_messages WHERE source = %(source)s)
ORDER BY id
FOR NO KEY UPDATE
"""


async def lock_conversations(conn: Connection, source: str) -> None:
    """Lock the source's conversations: nobody adds a neighbour of what is being removed."""
    await conn.execute(_LOCK, {"source": source})


_NEIGHBOURS = """
SELECT n.id AS message, n.seq, n.created_at, coalesce(nullif(n.speaker, ''), n.role) AS name,
       left(n.content, %(chars)s) AS head, right(n.content, %(chars)s) AS tail, c.text
FROM session_messages n
LEFT JOIN chunks c ON c.message_id = n.id AND c.position = 0 AND c.context IS NOT NULL
WHERE n.session = %(session)s AND n.role <> 'tool'
ORDER BY n.created_at, n.seq
"""


async def read_neighbours(conn: Connection, conversation: int, chars: int) -> list[Neighbour]:
    """The whole conversation in its order."""
    parameters = {"session": conversation, "chars": chars}
    async with conn.cursor(row_factory=class_row(Neighbour)) as cursor:
        return await (await cursor.execute(_NEIGHBOURS, parameters)).fetchall()


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
    await lock_conversations(conn, source)
    before = None
    if rule.max_days is not None:
        before = datetime.now(UTC) - timedelta(days=rule.max_days)
    excess = 0
    if rule.max_bytes is not None:
        excess = max(0, await size(conn, source) - rule.max_bytes)
    remove = remove_spans if rule.only_summarized else remove_messages
    losses = await remove(conn, source, before, excess)
    for loss in losses:
        await recount(conn, loss.session)
        await _close_windows(conn, loss.session)
    return Removal(
        source, sum(loss.messages for loss in losses), sum(loss.bytes for loss in losses)
    )


async def _close_windows(conn: Connection, conversation: int) -> None:
    """Take what was removed out of the windows of what stood beside it."""
    neighbours = await read_neighbours(conn, conversation, NEIGHBOUR_CHARS)
    if changes := list(windows(neighbours, {near.message for near in neighbours})):
        await change_contexts(conn, changes)
