"""The SQL of vector spaces and of the queue that fills them; run as the worker."""

from collections.abc import Sequence
from uuid import UUID

from psycopg.rows import class_row

from mcp_memory.db.cancellation import Connection
from mcp_memory.db.vectors import Vector
from mcp_memory.spaces.models import Job, Space, SpaceStatus

_SPACES = """
SELECT id, provider, model, dimensions, state
FROM embedding_models
ORDER BY id
"""


async def spaces(conn: Connection) -> list[Space]:
    """Every space of the database, oldest first."""
    async with conn.cursor(row_factory=class_row(Space)) as cursor:
        return await (await cursor.execute(_SPACES)).fetchall()


_STATUS = """
SELECT (SELECT count(*) FROM chunk_embeddings e WHERE e.model_id = m.id) AS vectors,
       (SELECT count(*) FROM embedding_jobs j
        WHERE j.model_id = m.id AND j.next_try_at < 'infinity') AS pending,
       (SELECT count(*) FROM embedding_jobs j
        WHERE j.model_id = m.id AND j.next_try_at = 'infinity') AS failed,
       coalesce((SELECT j.problem FROM embedding_jobs j
                 WHERE j.model_id = m.id AND j.problem <> ''
                 ORDER BY j.next_try_at DESC LIMIT 1), '') AS last_problem
FROM embedding_models m
WHERE m.id = %(id)s
"""


async def status(conn: Connection, space: Space) -> SpaceStatus:
    """How full the space is."""
    row = await (await conn.execute(_STATUS, {"id": space.id})).fetchone()
    assert row is not None
    return SpaceStatus(space, int(row[0]), int(row[1]), int(row[2]), str(row[3]))


async def add(conn: Connection, provider: str, model: str, dimensions: int) -> int:
    """The id of the space of this model, made (and everything queued for it) when it is new."""
    row = await (
        await conn.execute(
            "SELECT add_embedding_model(%(provider)s, %(model)s, %(dimensions)s)",
            {"provider": provider, "model": model, "dimensions": dimensions},
        )
    ).fetchone()
    assert row is not None
    return int(row[0])


_ACTIVATE_FIRST = """
SELECT activate_embedding_model(%(id)s)
WHERE NOT EXISTS (SELECT FROM embedding_models WHERE state = 'active')
"""


async def activate_first(conn: Connection, space_id: int) -> None:
    """Make the space the active one if there is none yet."""
    await conn.execute(_ACTIVATE_FIRST, {"id": space_id})


async def activate(conn: Connection, space_id: int) -> None:
    """Make the space the one that searches use."""
    await conn.execute("SELECT activate_embedding_model(%(id)s)", {"id": space_id})


async def drop(conn: Connection, space_id: int) -> None:
    """Remove the space with all its vectors."""
    await conn.execute("SELECT drop_embedding_model(%(id)s)", {"id": space_id})


async def queue_missing(conn: Connection, space_id: int) -> int:
    """Queue what the space has neither a vector nor a job for; how many chunks."""
    row = await (await conn.execute("SELECT queue_missing(%(id)s)", {"id": space_id})).fetchone()
    assert row is not None
    return int(row[0])


_RETRY_FAILED = """
UPDATE embedding_jobs
SET next_try_at = now(), attempts = 0, problem = ''
WHERE model_id = %(id)s AND next_try_at = 'infinity'
"""


async def retry_failed(conn: Connection, space_id: int) -> int:
    """Queue again what was set aside; how many chunks."""
    return (await conn.execute(_RETRY_FAILED, {"id": space_id})).rowcount


# Equal text has an equal vector in one space; it is copied, whoever's it is, instead of computed.
_REUSE = """
WITH known AS (
    SELECT DISTINCT ON (j.chunk_id) j.chunk_id, j.agent_id, e.embedding
    FROM embedding_jobs j
    JOIN chunks c ON c.id = j.chunk_id
    JOIN chunks twin ON twin.text_hash = c.text_hash AND twin.id <> c.id
    JOIN chunk_embeddings e ON e.chunk_id = twin.id AND e.model_id = j.model_id
    WHERE j.model_id = %(id)s AND j.lease = %(lease)s
), done AS (
    DELETE FROM embedding_jobs j
    USING known
    WHERE j.chunk_id = known.chunk_id AND j.model_id = %(id)s
    RETURNING j.chunk_id
)
INSERT INTO chunk_embeddings (chunk_id, model_id, agent_id, embedding)
SELECT known.chunk_id, %(id)s, known.agent_id, known.embedding
FROM known
JOIN done USING (chunk_id)
RETURNING chunk_id
"""

_CLAIM = """
WITH due AS (
    SELECT chunk_id
    FROM embedding_jobs
    WHERE model_id = %(id)s AND next_try_at <= now()
    ORDER BY next_try_at, chunk_id
    LIMIT %(limit)s
    FOR UPDATE SKIP LOCKED
)
UPDATE embedding_jobs j
SET lease = %(lease)s, attempts = j.attempts + 1,
    next_try_at = now() + make_interval(secs => %(lease_seconds)s)
FROM due
JOIN chunks c ON c.id = due.chunk_id
WHERE j.chunk_id = due.chunk_id AND j.model_id = %(id)s
RETURNING j.chunk_id, c.heading || E'\\n' || c.text AS text, j.attempts
"""


async def claim(
    conn: Connection, space_id: int, *, lease: UUID, lease_seconds: float, limit: int
) -> list[Job]:
    """Chunks to embed, which no other worker gets until the lease has run out.

    A lease counts as an attempt, so that a text which kills its worker is set aside in the end.
    """
    async with conn.cursor(row_factory=class_row(Job)) as cursor:
        jobs = await (
            await cursor.execute(
                _CLAIM,
                {"id": space_id, "lease": lease, "lease_seconds": lease_seconds, "limit": limit},
            )
        ).fetchall()
    if not jobs:
        return []
    reused = await (await conn.execute(_REUSE, {"id": space_id, "lease": lease})).fetchall()
    known = {int(row[0]) for row in reused}
    return [job for job in jobs if job.chunk_id not in known]


_COMPLETE = """
WITH done AS (
    DELETE FROM embedding_jobs
    WHERE chunk_id = %(chunk_id)s AND model_id = %(id)s AND lease = %(lease)s
    RETURNING chunk_id, agent_id
)
INSERT INTO chunk_embeddings (chunk_id, model_id, agent_id, embedding)
SELECT chunk_id, %(id)s, agent_id, %(embedding)s::vector
FROM done
"""


async def complete(
    conn: Connection, space_id: int, *, lease: UUID, vectors: Sequence[tuple[int, Vector]]
) -> None:
    """Store vectors of chunks that are still leased; one deleted meanwhile is passed over."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            _COMPLETE,
            [
                {"id": space_id, "lease": lease, "chunk_id": chunk_id, "embedding": vector}
                for chunk_id, vector in vectors
            ],
        )


_GIVE_BACK = """
UPDATE embedding_jobs
SET lease = NULL, attempts = attempts - 1, next_try_at = now()
WHERE model_id = %(id)s AND lease = %(lease)s
"""


async def give_back(conn: Connection, space_id: int, *, lease: UUID) -> None:
    """End the lease without blaming the texts: the provider was the one that failed."""
    await conn.execute(_GIVE_BACK, {"id": space_id, "lease": lease})


_FAIL = """
UPDATE embedding_jobs
SET lease = NULL, problem = %(problem)s,
    next_try_at = CASE WHEN attempts >= %(most_attempts)s THEN 'infinity'
                       ELSE now() + make_interval(secs => 2 ^ attempts) END
WHERE model_id = %(id)s AND lease = %(lease)s AND chunk_id = %(chunk_id)s
"""


async def fail(
    conn: Connection,
    space_id: int,
    *,
    lease: UUID,
    chunk_id: int,
    problem: str,
    most_attempts: int,
) -> None:
    """Put off a text that was refused, longer each time; set it aside when it was too often."""
    await conn.execute(
        _FAIL,
        {
            "id": space_id,
            "lease": lease,
            "chunk_id": chunk_id,
            "problem": problem[:500],
            "most_attempts": most_attempts,
        },
    )


_PENDING = """
SELECT count(*)
FROM embedding_jobs j
JOIN embedding_models m ON m.id = j.model_id AND m.state = 'active'
WHERE j.agent_id = current_agent()
"""


async def pending(conn: Connection) -> int:
    """How many of the caller's own chunks wait for their vector in the active space."""
    row = await (await conn.execute(_PENDING)).fetchone()
    assert row is not None
    return int(row[0])
