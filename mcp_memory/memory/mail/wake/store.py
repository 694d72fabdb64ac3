"""The outbox, for the worker; `wake_states` alone is run as the sender who asks.

A wake lease makes one process the one who rings for its agent. Every statement of one poll
is in one transaction, so that all of it happens at one instant of the server's clock.
"""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row

from mcp_memory.memory.mail.wake.model import (
    QueuedMessage,
    ServedRoute,
    WakeAttempt,
    WakeState,
)
from mcp_memory.postgres.connection import Connection

CHANNEL = "mcp_memory_wake"

_SAY_DUE = """
SELECT pg_notify(%(channel)s, 'due')
"""


async def say_due(conn: Connection) -> None:
    """Have every process that wakes look at what is due."""
    await conn.execute(_SAY_DUE, {"channel": CHANNEL})


# Those whose route is another than the one that was announced last.
_ANNOUNCE = """
WITH told AS (
    SELECT agent, priority, digest
    FROM unnest(%(agents)s::text[], %(priorities)s::smallint[], %(digests)s::text[])
        AS t (agent, priority, digest)
), changed AS (
    SELECT t.agent
    FROM told t
    LEFT JOIN wake_leases d ON d.agent_id = t.agent
    WHERE d.route_digest IS DISTINCT FROM t.digest
), announced AS (
    INSERT INTO wake_leases (agent_id, min_priority, route_digest)
    SELECT agent, priority, digest
    FROM told
    ORDER BY agent
    ON CONFLICT (agent_id) DO UPDATE
    SET min_priority = excluded.min_priority, route_digest = excluded.route_digest,
        announced_at = now()
)
SELECT agent FROM changed
"""

_UNWANTED = """
UPDATE wake_jobs b
SET state = 'not_needed'
FROM wake_leases d
WHERE b.agent_id = ANY(%(agents)s) AND b.state = 'due'
  AND d.agent_id = b.agent_id AND b.priority < d.min_priority
"""

# What came before there was a doorbell, or while it was being made, or was to wake nobody then.
_CATCH_UP = """
INSERT INTO wake_jobs AS known (agent_id, message_id, priority)
SELECT d.agent_id, d.message_id, d.priority
FROM wake_leases b
JOIN deliveries d ON d.agent_id = b.agent_id AND d.priority >= b.min_priority
WHERE b.agent_id = ANY(%(agents)s)
  AND d.state IN ('queued', 'delivered')
  AND (d.expires_at IS NULL OR d.expires_at > now())
ON CONFLICT (agent_id, message_id) DO UPDATE
SET state = 'due', attempt_id = NULL, queued_at = now()
WHERE known.state = 'not_needed'
"""


async def announce(conn: Connection, served: Sequence[ServedRoute]) -> None:
    """From now on each message to these agents has a wake job, and each unread one too.

    Where the route is another one than before, it starts without failures.
    """
    agents = [route.agent for route in served]
    parameters: dict[str, object] = {
        "agents": agents,
        "priorities": [route.route.min_priority for route in served],
        "digests": [route.digest for route in served],
    }
    changed = await (await conn.execute(_ANNOUNCE, parameters)).fetchall()
    await conn.execute(_UNWANTED, {"agents": agents})
    await conn.execute(_CATCH_UP, {"agents": agents})
    if changed:
        await start_anew(conn, [str(row[0]) for row in changed])


_START_ANEW = """
UPDATE wake_leases
SET failures = 0, problem = '', next_try_at = now()
WHERE agent_id = ANY(%(agents)s)
"""

_RING_AFTER_ALL = """
UPDATE wake_jobs b
SET state = 'due', attempt_id = NULL, queued_at = now()
FROM deliveries d
WHERE b.agent_id = ANY(%(agents)s) AND b.state = 'given_up'
  AND d.agent_id = b.agent_id AND d.message_id = b.message_id
  AND d.state IN ('queued', 'delivered')
  AND (d.expires_at IS NULL OR d.expires_at > now())
"""


async def start_anew(conn: Connection, agents: Sequence[str]) -> None:
    """What failed before counts no more; unread mail that was given up is due after all."""
    await conn.execute(_START_ANEW, {"agents": list(agents)})
    await conn.execute(_RING_AFTER_ALL, {"agents": list(agents)})
    await say_due(conn)


_SETTLE_BELLS = """
UPDATE wake_jobs b
SET state = 'not_needed'
FROM deliveries d
WHERE b.agent_id = ANY(%(agents)s) AND b.state = 'due'
  AND d.agent_id = b.agent_id AND d.message_id = b.message_id
  AND (d.state IN ('acknowledged', 'expired') OR d.expires_at <= now())
"""

# Not while somebody is at it: his attempt says what became of the ring.
_SETTLE_RINGS = """
UPDATE wake_attempts r
SET state = 'not_needed', ended_at = now()
FROM wake_leases d
WHERE r.agent_id = ANY(%(agents)s) AND r.state = 'trying'
  AND d.agent_id = r.agent_id AND (d.leased_until IS NULL OR d.leased_until <= now())
  AND NOT EXISTS (SELECT FROM wake_jobs b WHERE b.attempt_id = r.id AND b.state = 'due')
"""


# The agent was woken and took its mail, but did not acknowledge it while it was held for him.
_RING_AGAIN = """
UPDATE wake_jobs b
SET state = 'due', attempt_id = NULL, queued_at = now()
FROM deliveries d, wake_attempts r
WHERE d.agent_id = ANY(%(agents)s) AND d.state = 'delivered' AND d.leased_until <= now()
  AND b.agent_id = d.agent_id AND b.message_id = d.message_id AND b.state = 'rung'
  AND r.id = b.attempt_id AND r.ended_at < d.leased_until
"""


async def settle(conn: Connection, agents: Sequence[str]) -> None:
    """End what nobody need be woken for any more: it was read, or has expired; the rest is due."""
    await conn.execute(_SETTLE_BELLS, {"agents": list(agents)})
    await conn.execute(_SETTLE_RINGS, {"agents": list(agents)})
    await conn.execute(_RING_AGAIN, {"agents": list(agents)})


_CLAIM = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key
    FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
), next AS (
    SELECT d.agent_id, s.lease_seconds
    FROM wake_leases d
    JOIN unnest(
        %(agents)s::text[], %(floors)s::integer[], %(always)s::boolean[], %(leases)s::float8[],
        %(added)s::timestamptz[]
    ) AS s (agent, floor, always, lease_seconds, added_at) ON s.agent = d.agent_id
    WHERE d.next_try_at <= now()
      AND (s.added_at IS NULL OR EXISTS (
          SELECT FROM wake_routes w WHERE w.agent_id = d.agent_id AND w.added_at = s.added_at
      ))
      AND (d.leased_until IS NULL OR d.leased_until <= now())
      AND (s.always OR listening_key(d.agent_id) NOT IN (SELECT key FROM held))
      AND EXISTS (
          SELECT
          FROM wake_jobs b
          JOIN deliveries m ON m.agent_id = b.agent_id AND m.message_id = b.message_id
          WHERE b.agent_id = d.agent_id AND b.state = 'due' AND b.priority >= s.floor
            AND b.queued_at <= now() - make_interval(secs => %(gather)s)
            AND is_waiting(m.state, m.leased_until, m.expires_at)
      )
    ORDER BY d.next_try_at, d.agent_id
    LIMIT 1
    FOR UPDATE OF d SKIP LOCKED
)
UPDATE wake_leases d
SET lease = %(lease)s, leased_until = now() + make_interval(secs => next.lease_seconds)
FROM next
WHERE d.agent_id = next.agent_id
RETURNING d.agent_id, d.failures
"""


async def claim(
    conn: Connection,
    served: Sequence[ServedRoute],
    *,
    lease: UUID,
    spare_seconds: float,
    gather_seconds: float,
) -> tuple[str, int] | None:
    """An agent to wake, held for one attempt and that long, and its failures until now.

    Never by an added route that was replaced since it was read.
    """
    parameters: dict[str, object] = {
        "agents": [route.agent for route in served],
        "floors": [route.floor for route in served],
        "always": [route.route.when_listening for route in served],
        "leases": [route.route.timeout_seconds + spare_seconds for route in served],
        "added": [route.added_at for route in served],
        "lease": lease,
        "gather": gather_seconds,
    }
    row = await (await conn.execute(_CLAIM, parameters)).fetchone()
    return None if row is None else (str(row[0]), int(row[1]))


_AGAIN = """
UPDATE wake_attempts
SET attempts = attempts + 1, kind = %(kind)s
WHERE agent_id = %(agent)s AND state = 'trying'
RETURNING id, attempts
"""

_BEGIN = """
INSERT INTO wake_attempts (id, agent_id, kind, attempts)
VALUES (%(ring)s, %(agent)s, %(kind)s, 1)
"""

_GATHER = """
UPDATE wake_jobs b
SET attempt_id = %(ring)s
FROM deliveries d
WHERE b.agent_id = %(agent)s AND b.state = 'due' AND b.attempt_id IS NULL
  AND d.agent_id = b.agent_id AND d.message_id = b.message_id
  AND is_waiting(d.state, d.leased_until, d.expires_at)
"""

_QUEUED_MESSAGES = """
SELECT m.id AS message_id, m.agent_id AS sender, b.priority, m.subject, m.content
FROM wake_jobs b
JOIN messages m ON m.id = b.message_id
WHERE b.attempt_id = %(ring)s
ORDER BY b.priority DESC, m.id
"""


async def begin(
    conn: Connection, agent: str, kind: str, *, failures: int, lease: UUID, fresh: UUID
) -> WakeAttempt:
    """The attempt to make now: the one that failed before, as it was, else one for all that waits.

    The agent must be held by the lease.
    """
    row = await (await conn.execute(_AGAIN, {"agent": agent, "kind": kind})).fetchone()
    id, number = (fresh, 1) if row is None else (UUID(str(row[0])), int(row[1]))
    if row is None:
        await conn.execute(_BEGIN, {"ring": id, "agent": agent, "kind": kind})
        await conn.execute(_GATHER, {"ring": id, "agent": agent})
    async with conn.cursor(row_factory=class_row(QueuedMessage)) as cursor:
        messages = await (await cursor.execute(_QUEUED_MESSAGES, {"ring": id})).fetchall()
    return WakeAttempt(id, agent, number, failures, lease, messages)


# A bell that is due already was passed over for another reason than time.
_NEXT_DUE = """
SELECT extract(epoch FROM min(due.at) - now())::float8
FROM unnest(%(agents)s::text[], %(floors)s::integer[]) AS s (agent, floor)
JOIN wake_leases d ON d.agent_id = s.agent
JOIN wake_jobs b ON b.agent_id = s.agent AND b.state = 'due' AND b.priority >= s.floor
CROSS JOIN LATERAL (
    SELECT greatest(
        d.next_try_at, d.leased_until, b.queued_at + make_interval(secs => %(gather)s)
    ) AS at
) due
WHERE due.at > now()
"""


async def next_due_seconds(
    conn: Connection, served: Sequence[ServedRoute], gather_seconds: float
) -> float | None:
    """How long until something becomes due for one of these agents; None: nothing will by time."""
    parameters: dict[str, object] = {
        "agents": [route.agent for route in served],
        "floors": [route.floor for route in served],
        "gather": gather_seconds,
    }
    row = await (await conn.execute(_NEXT_DUE, parameters)).fetchone()
    return None if row is None or row[0] is None else float(row[0])


_RUNG = """
WITH mine AS (
    UPDATE wake_leases
    SET lease = NULL, leased_until = NULL, failures = 0, problem = '',
        next_try_at = now() + make_interval(secs => %(pause)s)
    WHERE agent_id = %(agent)s AND lease = %(lease)s
    RETURNING agent_id
), ended AS (
    UPDATE wake_attempts SET state = 'rung', ended_at = now(), problem = ''
    WHERE id = %(ring)s AND EXISTS (SELECT FROM mine)
)
UPDATE wake_jobs SET state = 'rung' WHERE attempt_id = %(ring)s AND EXISTS (SELECT FROM mine)
"""


async def record_success(conn: Connection, attempt: WakeAttempt, pause_seconds: float) -> None:
    """The agent was woken. Who has lost the lease changes nothing."""
    parameters = {
        "agent": attempt.agent,
        "lease": attempt.lease,
        "ring": attempt.id,
        "pause": pause_seconds,
    }
    await conn.execute(_RUNG, parameters)


_FAILED = """
UPDATE wake_leases
SET lease = NULL, leased_until = NULL, failures = failures + 1, problem = %(problem)s,
    next_try_at = now() + make_interval(secs => %(pause)s)
WHERE agent_id = %(agent)s AND lease = %(lease)s
RETURNING agent_id
"""

_SAY_WHY = """
UPDATE wake_attempts SET problem = %(problem)s WHERE id = %(ring)s AND state = 'trying'
"""

_GIVE_UP = """
WITH hopeless AS (
    UPDATE wake_attempts SET state = 'given_up', ended_at = now()
    WHERE id = %(ring)s AND begun_at <= now() - make_interval(secs => %(patience)s)
    RETURNING id
)
UPDATE wake_jobs SET state = 'given_up'
FROM hopeless
WHERE wake_jobs.attempt_id = hopeless.id AND wake_jobs.state = 'due'
"""


async def record_failure(
    conn: Connection,
    attempt: WakeAttempt,
    problem: str,
    *,
    pause_seconds: float,
    patience_seconds: float,
) -> bool:
    """The attempt has failed: again after the pause, or never when patience has run out.

    Whether it was given up now.
    """
    held = {"agent": attempt.agent, "lease": attempt.lease, "ring": attempt.id}
    parameters: dict[str, object] = {"problem": problem[:500], "pause": pause_seconds, **held}
    if await (await conn.execute(_FAILED, parameters)).fetchone() is None:
        return False
    await conn.execute(_SAY_WHY, parameters)
    return (await conn.execute(_GIVE_UP, {**held, "patience": patience_seconds})).rowcount > 0


_GIVE_BACK = """
UPDATE wake_leases
SET lease = NULL, leased_until = NULL
WHERE agent_id = %(agent)s AND lease = %(lease)s
"""


async def give_back(conn: Connection, attempt: WakeAttempt) -> None:
    """Let somebody else make the attempt, at once."""
    await conn.execute(_GIVE_BACK, {"agent": attempt.agent, "lease": attempt.lease})
    await say_due(conn)


_BELLS_OF = """
SELECT agent, kind, state, attempts, problem, changed_at
FROM wake_jobs_of(%(message_id)s)
"""


async def wake_states(conn: Connection, message_id: int) -> list[WakeState]:
    """How the recipients of the caller's own message were woken; nothing for anybody else."""
    async with conn.cursor(row_factory=class_row(WakeState)) as cursor:
        return await (await cursor.execute(_BELLS_OF, {"message_id": message_id})).fetchall()
