"""The tables of messages and deliveries; each function runs in its caller's transaction.

What an agent sees, the policies decide: messages it sent or received, deliveries to itself.
"""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from psycopg.rows import class_row

from mcp_memory.memory.mail.model import (
    DeliveryState,
    HistoryFilter,
    Mail,
    MailFilter,
    Position,
    SendMessage,
)
from mcp_memory.postgres.connection import Connection

_FIRST_POSITION: Position = (11, 0)

# One statement, so that a message to many costs no more round trips than one to a single agent,
# and what `audit.record` would do is done in it. Where a stranger is named there is no message.
_SEND = """
WITH fresh AS (
    SELECT nextval('messages_id_seq') AS id
    WHERE NOT %(are_named)s OR NOT EXISTS (
        SELECT
        FROM unnest(%(recipients)s::text[]) recipient
        WHERE NOT EXISTS (SELECT FROM agents a WHERE a.agent_id = recipient)
    )
), message AS (
    INSERT INTO messages (
        id, agent_id, recipients, is_public, thread_id, reply_to, subject, content, type, channel,
        priority, expires_at
    )
    SELECT id, %(sender)s, %(recipients)s, %(is_public)s, coalesce(%(thread_id)s::bigint, id),
           %(reply_to)s::bigint, %(subject)s, %(content)s, %(type)s, %(channel)s, %(priority)s,
           now() + %(expires_in)s::interval
    FROM fresh
    RETURNING id, thread_id, agent_id, priority, expires_at
), mailboxes AS (
    INSERT INTO deliveries (agent_id, message_id, sender, priority, expires_at)
    SELECT recipient, m.id, m.agent_id, m.priority, m.expires_at
    FROM message m, unnest(%(recipients)s::text[]) recipient
), audited AS (
    INSERT INTO audit_log (agent_id, action, kind, object_id)
    SELECT agent_id, 'send', 'message', id::text
    FROM message
    WHERE current_setting('mcp_memory.audit', true) IS DISTINCT FROM 'off'
)
SELECT id, thread_id,
       ARRAY(SELECT pg_notify(notified, id::text)::text FROM unnest(%(notified)s::text[]) notified)
FROM message
"""


async def send(
    conn: Connection,
    sender: str,
    request: SendMessage,
    recipients: Sequence[str],
    channels: Sequence[str],
    *,
    parent: Mail | None,
) -> tuple[int, int] | None:
    """Put the message into each recipient's mailbox and notify; its id and its thread's.

    None, and nothing is sent, when one of those whom the sender named is not known.
    """
    parameters: dict[str, str | int | bool | list[str] | timedelta | None] = {
        "sender": sender,
        "recipients": list(recipients),
        "are_named": request.is_to_named,
        "notified": list(channels),
        "is_public": request.is_public,
        "thread_id": parent.thread_id if parent else None,
        "reply_to": parent.id if parent else None,
        "subject": request.subject,
        "content": request.content,
        "type": request.type,
        "channel": request.channel,
        "priority": request.priority,
        "expires_in": request.expires_in,
    }
    row = await (await conn.execute(_SEND, parameters)).fetchone()
    return None if row is None else (int(row[0]), int(row[1]))


_NOTIFY = """
SELECT pg_notify(notified, %(message_id)s::text)
FROM unnest(%(notified)s::text[]) notified
"""


async def notify(conn: Connection, channels: Sequence[str], message_id: int) -> None:
    """Say again on these channels that the message is there, once the transaction commits."""
    await conn.execute(_NOTIFY, {"notified": list(channels), "message_id": message_id})


_VISIBLE = """
SELECT m.id, m.agent_id AS sender, m.recipients, addressees(m.recipients, m.is_public) AS "to",
       m.subject, m.content, m.type, m.channel, m.priority, m.thread_id, m.reply_to, m.sent_at,
       m.expires_at,
       coalesce(state_now(d.state, d.expires_at), 'sent') AS state
FROM messages m
LEFT JOIN deliveries d ON d.agent_id = current_agent() AND d.message_id = m.id
WHERE m.id = ANY(%(ids)s)
ORDER BY m.id
"""


async def visible(conn: Connection, ids: Sequence[int]) -> list[Mail]:
    """Those of the messages that the caller sent or received, oldest first."""
    async with conn.cursor(row_factory=class_row(Mail)) as cursor:
        return await (await cursor.execute(_VISIBLE, {"ids": list(ids)})).fetchall()


_TAKEABLE = """
SELECT m.id, m.agent_id AS sender, m.recipients, addressees(m.recipients, m.is_public) AS "to",
       m.subject, m.content, m.type, m.channel, m.priority, m.thread_id, m.reply_to, m.sent_at,
       m.expires_at, d.state
FROM deliveries d
JOIN messages m ON m.id = d.message_id
WHERE d.agent_id = current_agent() AND d.message_id = ANY(%(ids)s)
  AND d.state IN ('queued', 'delivered')
  AND (d.leased_until IS NULL OR d.leased_until <= now())
  AND (d.expires_at IS NULL OR d.expires_at > now())
ORDER BY m.id
"""


async def takeable(conn: Connection, ids: Sequence[int]) -> list[Mail]:
    """Those of the messages that the caller would be handed out now, oldest first."""
    async with conn.cursor(row_factory=class_row(Mail)) as cursor:
        return await (await cursor.execute(_TAKEABLE, {"ids": list(ids)})).fetchall()


_INBOX = """
SELECT m.id, m.agent_id AS sender, m.recipients, addressees(m.recipients, m.is_public) AS "to",
       m.subject, m.content, m.type, m.channel, m.priority, m.thread_id, m.reply_to, m.sent_at,
       m.expires_at, state_now(d.state, d.expires_at) AS state
FROM deliveries d
JOIN messages m ON m.id = d.message_id
WHERE d.agent_id = current_agent()
  AND (NOT %(unread_only)s OR (
      d.state IN ('queued', 'delivered') AND (d.expires_at IS NULL OR d.expires_at > now())
  ))
  AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
  AND (%(sender)s::text IS NULL OR d.sender = %(sender)s)
  AND d.priority <= %(priority)s
  AND (d.priority < %(priority)s OR d.message_id > %(message_id)s)
ORDER BY d.priority DESC, d.message_id
LIMIT %(limit)s
"""


async def inbox(
    conn: Connection, filter: MailFilter, limit: int, after: Position | None = None
) -> list[Mail]:
    """The caller's mail after a position: highest priority first, oldest first within one."""
    priority, message_id = after or _FIRST_POSITION
    parameters = {
        "unread_only": filter.unread_only,
        "channel": filter.channel,
        "sender": filter.sender,
        "priority": priority,
        "message_id": message_id,
        "limit": limit,
    }
    async with conn.cursor(row_factory=class_row(Mail)) as cursor:
        return await (await cursor.execute(_INBOX, parameters)).fetchall()


_CLAIM = """
WITH next AS MATERIALIZED (
    SELECT d.message_id
    FROM deliveries d
    JOIN messages m ON m.id = d.message_id
    WHERE d.agent_id = current_agent()
      AND d.state IN ('queued', 'delivered')
      AND (d.leased_until IS NULL OR d.leased_until <= now() OR d.claim = %(claim)s)
      AND (d.expires_at IS NULL OR d.expires_at > now())
      AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
      AND (%(sender)s::text IS NULL OR d.sender = %(sender)s)
    ORDER BY d.priority DESC, d.message_id
    LIMIT %(limit)s
    FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE deliveries d
    SET state = 'delivered', claim = %(claim)s, leased_until = now() + %(lease)s,
        delivered_at = coalesce(d.delivered_at, now())
    FROM next
    WHERE d.agent_id = current_agent() AND d.message_id = next.message_id
    RETURNING d.message_id
)
SELECT m.id, m.agent_id AS sender, m.recipients, addressees(m.recipients, m.is_public) AS "to",
       m.subject, m.content, m.type, m.channel, m.priority, m.thread_id, m.reply_to, m.sent_at,
       m.expires_at, 'delivered' AS state
FROM claimed
JOIN messages m ON m.id = claimed.message_id
ORDER BY m.priority DESC, m.id
"""


async def claim(
    conn: Connection, filter: MailFilter, limit: int, lease: timedelta, token: UUID
) -> list[Mail]:
    """The first unread messages that nobody else holds, held from now on for the lease."""
    parameters: dict[str, str | int | timedelta | UUID | None] = {
        "channel": filter.channel,
        "sender": filter.sender,
        "limit": limit,
        "lease": lease,
        "claim": token,
    }
    async with conn.cursor(row_factory=class_row(Mail)) as cursor:
        return await (await cursor.execute(_CLAIM, parameters)).fetchall()


_NEXT_LEASE = """
SELECT extract(epoch FROM min(d.leased_until) - clock_timestamp())::float8
FROM deliveries d
WHERE d.agent_id = current_agent()
  AND d.state IN ('queued', 'delivered')
  AND d.leased_until > now()
"""


async def next_lease_seconds(conn: Connection) -> float | None:
    """How long until the first held message of the caller is free again; None: none is held."""
    row = await (await conn.execute(_NEXT_LEASE)).fetchone()
    return None if row is None or row[0] is None else max(0.0, float(row[0]))


_GIVE_BACK = """
UPDATE deliveries
SET state = 'queued', leased_until = NULL, claim = NULL
WHERE agent_id = current_agent() AND state = 'delivered' AND claim = %(claim)s
RETURNING message_id
"""


async def give_back(conn: Connection, token: UUID) -> list[int]:
    """Free what this claim took; the messages' ids."""
    rows = await (await conn.execute(_GIVE_BACK, {"claim": token})).fetchall()
    return [int(row[0]) for row in rows]


_ACKNOWLEDGE = """
UPDATE deliveries
SET state = 'acknowledged', acknowledged_at = now(), leased_until = NULL, claim = NULL,
    note = %(note)s
WHERE agent_id = current_agent() AND message_id = ANY(%(ids)s) AND state <> 'acknowledged'
RETURNING message_id
"""


async def acknowledge(conn: Connection, ids: Sequence[int], note: str) -> list[int]:
    """Mark these as read for good; those that were not before."""
    rows = await (await conn.execute(_ACKNOWLEDGE, {"ids": sorted(ids), "note": note})).fetchall()
    return [int(row[0]) for row in rows]


_RECEIVED = """
SELECT message_id
FROM deliveries
WHERE agent_id = current_agent() AND message_id = ANY(%(ids)s)
"""


async def select_received(conn: Connection, ids: Sequence[int]) -> set[int]:
    """Those of the messages that were sent to the caller."""
    rows = await (await conn.execute(_RECEIVED, {"ids": list(ids)})).fetchall()
    return {int(row[0]) for row in rows}


_STATES = """
SELECT agent, state, note, delivered_at, acknowledged_at
FROM delivery_states(%(message_id)s)
"""


async def states(conn: Connection, message_id: int) -> list[DeliveryState]:
    """What became of the caller's own message at each recipient; nothing for anybody else."""
    async with conn.cursor(row_factory=class_row(DeliveryState)) as cursor:
        return await (await cursor.execute(_STATES, {"message_id": message_id})).fetchall()


_HISTORY = """
WITH mine AS (
    (
        SELECT m.id
        FROM messages m
        WHERE m.agent_id = current_agent()
          AND m.id < %(before)s
          AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
          AND (%(thread_id)s::bigint IS NULL OR m.thread_id = %(thread_id)s)
          AND (%(with_agent)s::text IS NULL OR %(with_agent)s = ANY(m.recipients))
        ORDER BY m.id DESC
        LIMIT %(limit)s
    )
    UNION
    (
        SELECT m.id
        FROM deliveries d
        JOIN messages m ON m.id = d.message_id
        WHERE d.agent_id = current_agent()
          AND d.message_id < %(before)s
          AND (%(channel)s::text IS NULL OR m.channel = %(channel)s)
          AND (%(thread_id)s::bigint IS NULL OR m.thread_id = %(thread_id)s)
          AND (%(with_agent)s::text IS NULL OR d.sender = %(with_agent)s)
        ORDER BY d.message_id DESC
        LIMIT %(limit)s
    )
)
SELECT m.id, m.agent_id AS sender, m.recipients, addressees(m.recipients, m.is_public) AS "to",
       m.subject, m.content, m.type, m.channel, m.priority, m.thread_id, m.reply_to, m.sent_at,
       m.expires_at,
       coalesce(
           state_now(d.state, d.expires_at),
           (SELECT min(s.state) FROM delivery_states(m.id) s HAVING min(s.state) = max(s.state)),
           'sent'
       ) AS state
FROM mine
JOIN messages m ON m.id = mine.id
LEFT JOIN deliveries d ON d.agent_id = current_agent() AND d.message_id = m.id
ORDER BY m.id DESC
LIMIT %(limit)s
"""


async def history(conn: Connection, filter: HistoryFilter, limit: int, before: int) -> list[Mail]:
    """What the caller sent and received before that message, newest first.

    What was sent has the state that it has at every recipient, or `sent` where they differ.
    """
    parameters = {
        "channel": filter.channel,
        "thread_id": filter.thread_id,
        "with_agent": filter.with_agent,
        "limit": limit,
        "before": before,
    }
    async with conn.cursor(row_factory=class_row(Mail)) as cursor:
        return await (await cursor.execute(_HISTORY, parameters)).fetchall()


_UNREAD = """
SELECT count(*)
FROM deliveries
WHERE agent_id = current_agent()
  AND state IN ('queued', 'delivered')
  AND (expires_at IS NULL OR expires_at > now())
"""


async def unread(conn: Connection) -> int:
    """How many messages the caller has not acknowledged."""
    row = await (await conn.execute(_UNREAD)).fetchone()
    assert row is not None
    return int(row[0])


_UNREAD_IDS = """
SELECT message_id
FROM deliveries
WHERE agent_id = current_agent()
  AND message_id > %(after)s
  AND state IN ('queued', 'delivered')
  AND (expires_at IS NULL OR expires_at > now())
  AND (NOT %(free_only)s OR leased_until IS NULL OR leased_until <= now())
ORDER BY message_id
LIMIT %(limit)s
"""


async def unread_ids(conn: Connection, limit: int, after: int, *, free_only: bool) -> list[int]:
    """The oldest messages after that one that the caller has not acknowledged, by id.

    All of them, or only those that nobody holds now.
    """
    parameters = {"limit": limit, "after": after, "free_only": free_only}
    rows = await (await conn.execute(_UNREAD_IDS, parameters)).fetchall()
    return [int(row[0]) for row in rows]


_EXPIRE = """
UPDATE deliveries
SET state = 'expired', leased_until = NULL, claim = NULL
WHERE state IN ('queued', 'delivered') AND expires_at <= now()
"""


async def expire(conn: Connection) -> int:
    """Mark, for everybody, what was not read in time; how many. For the worker."""
    return (await conn.execute(_EXPIRE)).rowcount
