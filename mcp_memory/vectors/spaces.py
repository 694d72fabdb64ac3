"""What a vector space is, how full it is, and what is still to be embedded."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from mcp_memory.postgres.connection import Connection, Vector

State = Literal["filling", "active", "dropping"]


@dataclass(frozen=True, slots=True)
class Space:
    """One model's vectors in one database; searches use the active one.

    Until it is prepared, it lacks its index, and chunks older than it are not queued.
    """

    id: int
    provider: str
    model: str
    dimensions: int
    state: State
    prepared: bool
    problem: str = ""

    @property
    def name(self) -> str:
        """Such as `minilm/all-MiniLM-L6-v2`; spaces of other dimensions may share it."""
        return f"{self.provider}/{self.model}"

    @property
    def label(self) -> str:
        """Such as `minilm/all-MiniLM-L6-v2 (384)`."""
        return f"{self.name} ({self.dimensions})"


@dataclass(frozen=True, slots=True)
class SpaceStatus:
    """How full a space is: chunks with a vector, waiting for one, and set aside after failing."""

    space: Space
    vectors: int
    pending: int
    failed: int
    last_problem: str

    @property
    def state(self) -> State | Literal["full"]:
        """The space's state, for a person: one that is filled and lacks nothing is full."""
        is_full = self.space.state == "filling" and self.space.prepared and not self.pending
        return "full" if is_full else self.space.state


@dataclass(frozen=True, slots=True)
class QueryVector:
    """A query as a vector of the active space, or why there is none."""

    space_id: int = 0
    vector: Vector | None = None
    problem: str = ""
    provider: str = ""


@dataclass(frozen=True, slots=True)
class Job:
    """A chunk that one worker holds the lease of, with the text to embed.

    Where that is a window around a short message, `alone` is the message itself.
    """

    chunk_id: int
    text: str
    alone: str | None
    attempts: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one claim took: jobs under one lease, and how many equal texts lent their vector."""

    lease: UUID
    jobs: Sequence[Job]
    reused: int

    @property
    def taken(self) -> int:
        """How many chunks were due."""
        return len(self.jobs) + self.reused


@dataclass(frozen=True, slots=True)
class Comparison:
    """One query asked in two spaces: how many of the best ten chunks they have in common."""

    query: str
    common: int
    found: int


# One transaction each, so that it stays short: what it locks waits for it.
_QUEUED_AT_ONCE = 20_000
_DELETED_AT_ONCE = 20_000

_SPACES = """
SELECT id, provider, model, dimensions, state, prepared, problem
FROM vector_spaces
ORDER BY id
"""


async def read_spaces(conn: Connection) -> list[Space]:
    """Every space of the database, oldest first."""
    async with conn.cursor(row_factory=class_row(Space)) as cursor:
        return await (await cursor.execute(_SPACES)).fetchall()


_STATUS = """
SELECT (SELECT count(*) FROM vectors e WHERE e.space_id = m.id) AS vectors,
       (SELECT count(*) FROM vector_jobs j
        WHERE j.space_id = m.id AND j.next_try_at < 'infinity') AS pending,
       (SELECT count(*) FROM vector_jobs j
        WHERE j.space_id = m.id AND j.next_try_at = 'infinity') AS failed,
       coalesce(nullif(m.problem, ''),
                (SELECT j.problem FROM vector_jobs j
                 WHERE j.space_id = m.id AND j.problem <> ''
                 ORDER BY j.next_try_at DESC LIMIT 1), '') AS last_problem
FROM vector_spaces m
WHERE m.id = %(id)s
"""


async def status(conn: Connection, space: Space) -> SpaceStatus:
    """How full the space is."""
    row = await (await conn.execute(_STATUS, {"id": space.id})).fetchone()
    if row is None:  # dropped since it was listed
        return SpaceStatus(space, 0, 0, 0, "")
    return SpaceStatus(space, int(row[0]), int(row[1]), int(row[2]), str(row[3]))


_ADD = "SELECT add_vector_space(%(provider)s, %(model)s, %(dimensions)s)"


async def add(conn: Connection, provider: str, model: str, dimensions: int) -> int:
    """The id of the model's space, made when it is new; the first one is active at once."""
    parameters = {"provider": provider, "model": model, "dimensions": dimensions}
    row = await (await conn.execute(_ADD, parameters)).fetchone()
    assert row is not None
    return int(row[0])


_INDEX = "SELECT index_vector_space(%(id)s)"


async def index(conn: Connection, space_id: int) -> None:
    """Build the space's index if it is not there."""
    await conn.execute(_INDEX, {"id": space_id})


_QUEUE_MISSING = "SELECT queue_missing(%(id)s, %(most)s)"


async def queue_missing(conn: Connection, space_id: int) -> int:
    """Queue some of what the space has neither a vector nor a job for; 0 when there is no more."""
    parameters = {"id": space_id, "most": _QUEUED_AT_ONCE}
    row = await (await conn.execute(_QUEUE_MISSING, parameters)).fetchone()
    assert row is not None
    return int(row[0])


_PREPARED = """
UPDATE vector_spaces
SET prepared = true
WHERE id = %(id)s AND NOT prepared
"""


async def mark_prepared(conn: Connection, space_id: int) -> None:
    """Remember that index and queue are complete."""
    await conn.execute(_PREPARED, {"id": space_id})


_ACTIVATE = "SELECT activate_vector_space(%(id)s)"


async def activate(conn: Connection, space_id: int) -> bool:
    """Make the space the one that searches use; False when it is gone."""
    row = await (await conn.execute(_ACTIVATE, {"id": space_id})).fetchone()
    return row is not None and bool(row[0])


_RETIRE = "SELECT retire_vector_space(%(id)s)"


async def retire(conn: Connection, space_id: int) -> bool:
    """Queue nothing for the space any more; False when it is active, or gone."""
    row = await (await conn.execute(_RETIRE, {"id": space_id})).fetchone()
    return row is not None and bool(row[0])


_DROP = "SELECT drop_vector_space(%(id)s, %(most)s)"


async def drop_some(conn: Connection, space_id: int) -> bool:
    """Delete a part of a retired space; False when nothing of it is left."""
    parameters = {"id": space_id, "most": _DELETED_AT_ONCE}
    row = await (await conn.execute(_DROP, parameters)).fetchone()
    return row is not None and bool(row[0])


_REPORT = """
UPDATE vector_spaces
SET problem = %(problem)s
WHERE id = %(id)s AND problem <> %(problem)s
"""


async def report(conn: Connection, space_id: int, *, problem: str) -> None:
    """Remember why the space cannot be filled just now; empty when it can."""
    await conn.execute(_REPORT, {"id": space_id, "problem": problem[:500]})


_PENDING = """
SELECT count(*)
FROM vector_jobs j
JOIN vector_spaces m ON m.id = j.space_id AND m.state = 'active'
WHERE j.agent_id = current_agent() AND j.next_try_at < 'infinity'
"""


async def pending(conn: Connection) -> int:
    """How many of the caller's own chunks wait for their vector in the active space."""
    row = await (await conn.execute(_PENDING)).fetchone()
    assert row is not None
    return int(row[0])


_NEAREST = """
SELECT chunk_id
FROM match_embedding(
    %(id)s,
    %(vector)s::vector,
    jsonb_populate_record(
        NULL::search_filter, '{"sources": ["documents", "graph", "transcripts"]}'
    ),
    %(limit)s
)
"""


async def nearest(conn: Connection, space_id: int, vector: Vector, limit: int) -> list[int]:
    """The chunks nearest to the vector, of those the caller can see; run as an agent."""
    parameters = {"id": space_id, "vector": vector, "limit": limit}
    rows = await (await conn.execute(_NEAREST, parameters)).fetchall()
    return [int(row[0]) for row in rows]


_SAMPLE = """
SELECT split_part(btrim(c.text, E' \\n#*->'), E'\\n', 1) AS line
FROM chunks c
WHERE c.agent_id = current_agent()
ORDER BY md5(c.id::text)
LIMIT %(limit)s
"""


async def sample_lines(conn: Connection, limit: int) -> Sequence[str]:
    """First lines of some of the caller's own chunks, the same ones each time; run as an agent."""
    rows = await (await conn.execute(_SAMPLE, {"limit": limit})).fetchall()
    return [line for row in rows if (line := str(row[0]).strip())]
