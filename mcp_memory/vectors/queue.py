"""The SQL of the queue that fills vector spaces; run as the worker.

Locks are taken in the order space, chunks, jobs (see the migration), and none is waited for that
somebody holds who deletes chunks.
"""

from dataclasses import dataclass
from uuid import UUID

from psycopg.rows import class_row

from mcp_memory.postgres.connection import Connection, Vector
from mcp_memory.vectors.spaces import Batch, Job

# The fourth pause is four minutes: what fails after it will not mend by waiting.
MAX_ATTEMPTS = 5
# From this attempt on a text is taken alone: it may be the one that killed its worker.
_SUSPICIOUS = 2


@dataclass(frozen=True, slots=True)
class Vectors:
    """Of what a chunk is found by, and of its text alone where that is another."""

    found_by: Vector
    alone: Vector | None

    @property
    def parameters(self) -> dict[str, object]:
        """As the statement that stores them names them."""
        return {"embedding": self.found_by, "alone": self.alone}


_CLAIM = """
WITH due AS (
    SELECT chunk_id
    FROM vector_jobs
    WHERE space_id = %(id)s AND attempts BETWEEN %(least)s AND %(most)s AND next_try_at <= now()
    ORDER BY attempts, next_try_at DESC, chunk_id DESC
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE vector_jobs j
SET lease = %(lease)s, attempts = j.attempts + 1,
    next_try_at = now() + make_interval(secs => %(lease_seconds)s)
FROM due
JOIN chunks c ON c.id = due.chunk_id
WHERE j.chunk_id = due.chunk_id AND j.space_id = %(id)s
RETURNING j.chunk_id, coalesce(c.context, c.heading || E'\\n' || c.text) AS text,
          CASE WHEN c.context IS NOT NULL THEN c.heading || E'\\n' || c.text END AS alone,
          j.attempts
"""


async def claim(
    conn: Connection, space_id: int, *, lease: UUID, lease_seconds: float, limit: int
) -> Batch:
    """Chunks to embed, which no other worker gets until the lease has run out.

    A lease counts as an attempt, so that a text which kills its worker is set aside in the end.
    """
    parameters: dict[str, object] = {
        "id": space_id,
        "lease": lease,
        "lease_seconds": lease_seconds,
    }
    usual = {"least": 0, "most": _SUSPICIOUS - 1, "limit": limit}
    alone = {"least": _SUSPICIOUS, "most": MAX_ATTEMPTS - 1, "limit": 1}
    jobs = await _claim(conn, parameters | usual)
    if not jobs:
        await _set_deadly_aside(conn, space_id)
        jobs = await _claim(conn, parameters | alone)
    reused = await _reuse(conn, space_id, lease) if jobs else set[int]()
    return Batch(lease, [job for job in jobs if job.chunk_id not in reused], len(reused))


async def _claim(conn: Connection, parameters: dict[str, object]) -> list[Job]:
    async with conn.cursor(row_factory=class_row(Job)) as cursor:
        return await (await cursor.execute(_CLAIM, parameters)).fetchall()


_SET_DEADLY_ASIDE = """
WITH deadly AS (
    SELECT chunk_id
    FROM vector_jobs
    WHERE space_id = %(id)s AND attempts >= %(most_attempts)s AND next_try_at <= now()
    FOR UPDATE SKIP LOCKED
)
UPDATE vector_jobs j
SET lease = NULL, next_try_at = 'infinity',
    problem = 'no worker came back with its vector, ' || j.attempts || ' times'
FROM deadly
WHERE j.chunk_id = deadly.chunk_id AND j.space_id = %(id)s
"""


async def _set_deadly_aside(conn: Connection, space_id: int) -> None:
    """Take out what was leased too often and never came back, not even with a failure."""
    parameters = {"id": space_id, "most_attempts": MAX_ATTEMPTS}
    await conn.execute(_SET_DEADLY_ASIDE, parameters)


# Equal text has an equal vector in one space; it is copied, whoever's it is, instead of computed.
# Two messages may have the same window around them: both texts must be equal.
_REUSE = """
WITH leased AS MATERIALIZED (
    SELECT c.id, c.agent_id, c.text_hash, c.context, c.text
    FROM vector_jobs j
    JOIN chunks c ON c.id = j.chunk_id
    WHERE j.space_id = %(id)s AND j.lease = %(lease)s
    ORDER BY c.id
    FOR KEY SHARE OF c SKIP LOCKED
), known AS (
    SELECT leased.id, leased.agent_id, leased.context, twin.embedding, twin.alone
    FROM leased
    CROSS JOIN LATERAL (
        SELECT e.embedding, e.alone
        FROM chunks c
        JOIN vectors e ON e.chunk_id = c.id AND e.space_id = %(id)s
        WHERE c.text_hash = leased.text_hash AND c.id <> leased.id
          AND (leased.context IS NULL OR c.text = leased.text AND e.alone IS NOT NULL)
        LIMIT 1
    ) twin
), done AS (
    DELETE FROM vector_jobs j
    USING known
    WHERE j.chunk_id = known.id AND j.space_id = %(id)s
)
INSERT INTO vectors (chunk_id, space_id, agent_id, embedding, alone)
SELECT id, %(id)s, agent_id, embedding, CASE WHEN context IS NOT NULL THEN alone END
FROM known
ON CONFLICT (chunk_id, space_id)
DO UPDATE SET embedding = excluded.embedding, alone = excluded.alone
RETURNING chunk_id
"""


async def _reuse(conn: Connection, space_id: int, lease: UUID) -> set[int]:
    """The leased chunks that got the vector of an equal text."""
    rows = await (await conn.execute(_REUSE, {"id": space_id, "lease": lease})).fetchall()
    return {int(row[0]) for row in rows}


# The space first, then those chunks that nobody is deleting: what comes after waits for nothing.
_LOCK = """
SELECT c.id
FROM chunks c
WHERE c.id = ANY (%(ids)s)
  AND EXISTS (SELECT FROM vector_spaces WHERE id = %(id)s AND state <> 'dropping'
              FOR KEY SHARE)
ORDER BY c.id
FOR KEY SHARE OF c SKIP LOCKED
"""

# A job that somebody has locked is passed over: its text is being changed, and whoever waited for
# it with other jobs in hand could wait for one who waits for those.
_FINISH = """
WITH held AS (
    SELECT chunk_id
    FROM vector_jobs
    WHERE space_id = %(id)s AND lease = %(lease)s AND chunk_id = ANY (%(ids)s)
    FOR UPDATE SKIP LOCKED
)
DELETE FROM vector_jobs j
USING held
WHERE j.chunk_id = held.chunk_id AND j.space_id = %(id)s
RETURNING j.chunk_id, j.agent_id
"""

_STORE = """
INSERT INTO vectors (chunk_id, space_id, agent_id, embedding, alone)
VALUES (%(chunk_id)s, %(id)s, %(agent)s, %(embedding)s::vector, %(alone)s::vector)
ON CONFLICT (chunk_id, space_id)
DO UPDATE SET embedding = excluded.embedding, alone = excluded.alone
"""


async def complete(
    conn: Connection, space_id: int, *, lease: UUID, vectors: dict[int, Vectors]
) -> int:
    """Store vectors of chunks that are still leased, how many.

    One that was deleted meanwhile has none; one whose text is just being changed keeps its job.
    """
    cursor = await conn.execute(_LOCK, {"id": space_id, "ids": list(vectors)})
    ids = [int(row[0]) for row in await cursor.fetchall()]
    cursor = await conn.execute(_FINISH, {"id": space_id, "lease": lease, "ids": ids})
    rows = [
        {"id": space_id, "chunk_id": chunk_id, "agent": agent, **vectors[int(chunk_id)].parameters}
        for chunk_id, agent in await cursor.fetchall()
    ]
    async with conn.cursor() as storing:
        await storing.executemany(_STORE, rows)
    return len(rows)


# Rows that somebody completes or deletes just now are passed over: nothing is waited for.
_RENEW = """
WITH held AS (
    SELECT chunk_id
    FROM vector_jobs
    WHERE space_id = %(id)s AND lease = %(lease)s
    FOR UPDATE SKIP LOCKED
)
UPDATE vector_jobs j
SET next_try_at = now() + make_interval(secs => %(lease_seconds)s)
FROM held
WHERE j.chunk_id = held.chunk_id AND j.space_id = %(id)s
"""


async def renew(conn: Connection, space_id: int, *, lease: UUID, lease_seconds: float) -> None:
    """Hold what is still leased for so long from now; what others took since stays theirs."""
    parameters = {"id": space_id, "lease": lease, "lease_seconds": lease_seconds}
    await conn.execute(_RENEW, parameters)


_GIVE_BACK = """
WITH held AS (
    SELECT chunk_id
    FROM vector_jobs
    WHERE space_id = %(id)s AND lease = %(lease)s
    FOR UPDATE SKIP LOCKED
)
UPDATE vector_jobs j
SET lease = NULL, attempts = j.attempts - 1, next_try_at = now()
FROM held
WHERE j.chunk_id = held.chunk_id AND j.space_id = %(id)s
"""


async def give_back(conn: Connection, space_id: int, *, lease: UUID) -> None:
    """End the lease without blaming the texts: something else was the one that failed."""
    await conn.execute(_GIVE_BACK, {"id": space_id, "lease": lease})


_FAIL = """
UPDATE vector_jobs
SET lease = NULL, problem = %(problem)s,
    next_try_at = CASE WHEN %(is_final)s OR attempts >= %(most_attempts)s THEN 'infinity'
                       ELSE now() + make_interval(secs => 4 ^ attempts) END
WHERE space_id = %(id)s AND lease = %(lease)s AND chunk_id = %(chunk_id)s
"""


async def fail(
    conn: Connection, space_id: int, *, lease: UUID, chunk_id: int, problem: str, is_final: bool
) -> None:
    """Put off a text that has no vector, longer each time; set it aside when it is hopeless."""
    await conn.execute(
        _FAIL,
        {
            "id": space_id,
            "lease": lease,
            "chunk_id": chunk_id,
            "problem": problem[:500],
            "is_final": is_final,
            "most_attempts": MAX_ATTEMPTS,
        },
    )


_RETRY_FAILED = """
UPDATE vector_jobs
SET next_try_at = now(), attempts = 0, problem = ''
WHERE space_id = %(id)s AND next_try_at = 'infinity'
"""


async def retry_failed(conn: Connection, space_id: int) -> int:
    """Queue again what was set aside; how many chunks."""
    return (await conn.execute(_RETRY_FAILED, {"id": space_id})).rowcount


_DUE = """
SELECT count(*)
FROM vector_jobs
WHERE space_id = %(id)s AND next_try_at < 'infinity'
"""


async def waiting(conn: Connection, space_id: int) -> int:
    """How many chunks wait for a vector, leased ones too."""
    row = await (await conn.execute(_DUE, {"id": space_id})).fetchone()
    assert row is not None
    return int(row[0])


_NEXT_DUE = """
SELECT extract(epoch FROM min(next_try_at) - now())::float8
FROM vector_jobs
WHERE space_id = %(id)s AND next_try_at < 'infinity'
"""


async def next_due_seconds(conn: Connection, space_id: int) -> float | None:
    """How long until a lease runs out or a text is tried again; None: nothing will by time."""
    row = await (await conn.execute(_NEXT_DUE, {"id": space_id})).fetchone()
    return None if row is None or row[0] is None else float(row[0])
