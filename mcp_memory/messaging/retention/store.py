"""The SQL of letting go; run as the worker, over every agent's mail."""

from datetime import timedelta

from mcp_memory.db.connection import Connection

# What is over at each of its recipients: read, or expired. Its deliveries and wake jobs go with it,
# and an answer to it no longer says to what.
_REMOVE_MESSAGES = """
WITH over AS (
    SELECT m.id
    FROM messages m
    WHERE m.id > %(after)s
      AND m.sent_at <= now() - %(age)s
      AND (%(owner)s::text IS NULL OR m.agent_id = %(owner)s)
      AND NOT EXISTS (
          SELECT
          FROM deliveries d
          WHERE d.message_id = m.id
            AND coalesce(
                CASE WHEN d.state = 'acknowledged' THEN d.acknowledged_at
                     WHEN d.expires_at <= now() THEN d.expires_at END,
                'infinity'
            ) > now() - %(age)s
      )
    ORDER BY m.id
    LIMIT %(limit)s
), removed AS (
    DELETE FROM messages m
    USING over
    WHERE m.id = over.id
    RETURNING m.id
)
SELECT count(*), max(id)
FROM removed
"""


async def remove_messages(
    conn: Connection, age: timedelta, owner: str | None, *, after: int, limit: int
) -> tuple[int, int | None]:
    """Remove the first messages after that one that were over longer ago than `age`.

    How many, and the last one's id. `owner` is who sent them; None is anybody.
    """
    parameters = {"age": age, "owner": owner, "after": after, "limit": limit}
    row = await (await conn.execute(_REMOVE_MESSAGES, parameters)).fetchone()
    assert row is not None
    return int(row[0]), row[1]


# The wake job of unread mail stays: without it the agent would be woken for the same message again.
_REMOVE_BELLS = """
DELETE FROM wake_jobs b
USING deliveries d
WHERE d.agent_id = b.agent_id AND d.message_id = b.message_id
  AND b.state <> 'due' AND b.queued_at <= now() - %(age)s
  AND (%(owner)s::text IS NULL OR b.agent_id = %(owner)s)
  AND (d.acknowledged_at <= now() - %(age)s OR d.expires_at <= now() - %(age)s)
"""

_REMOVE_RINGS = """
DELETE FROM wake_attempts r
WHERE r.state <> 'trying' AND r.ended_at <= now() - %(age)s
  AND (%(owner)s::text IS NULL OR r.agent_id = %(owner)s)
  AND NOT EXISTS (SELECT FROM wake_jobs b WHERE b.attempt_id = r.id)
"""


async def remove_wake_attempts(conn: Connection, age: timedelta, owner: str | None) -> int:
    """Remove what is kept of attempts to wake that ended longer ago; how many attempts.

    `owner` is who was woken; None is anybody.
    """
    parameters = {"age": age, "owner": owner}
    await conn.execute(_REMOVE_BELLS, parameters)
    return (await conn.execute(_REMOVE_RINGS, parameters)).rowcount
