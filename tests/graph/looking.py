"""What the tests of memories look at: what is so at an instant, as every search sees it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from mcp_memory.app import App
from mcp_memory.memory.facts.model import FactChange, NewFact, StoreResult
from mcp_memory.postgres.connection import Connection
from mcp_memory.search.kinds import SearchRequest
from tests.documents.looking import change

_SO_AT = """
SELECT 'm' || c.memory_id, c.text
FROM chunks c
WHERE admits(c, jsonb_populate_record(NULL::search_filter, %(search_filter)s::jsonb))
  AND c.position = 0
ORDER BY c.memory_id
"""


async def so_at(
    app: App, agent: str, as_of: datetime | None = None, known_at: datetime | None = None
) -> dict[str, str]:
    """What every route of a search may find at this instant: text by id."""
    database = await app.databases.reading(None, agent)
    narrowing = Narrowed(as_of, known_at).json()

    async def work(conn: Connection) -> dict[str, str]:
        rows = await (await conn.execute(_SO_AT, {"search_filter": narrowing})).fetchall()
        return {str(row[0]): str(row[1]) for row in rows}

    return await database.read(agent, work)


class Narrowed:
    """A narrowing to memories at an instant of the world, as known at another."""

    def __init__(self, as_of: datetime | None, known_at: datetime | None) -> None:
        self._instants: Mapping[str, datetime | None] = {"as_of": as_of, "known_at": known_at}

    def json(self) -> str:
        """As the type in the database reads it."""
        instants = {
            name: instant.isoformat() for name, instant in self._instants.items() if instant
        }
        pairs = "".join(f', "{name}": "{text}"' for name, text in instants.items())
        return f'{{"sources": ["graph"]{pairs}}}'


async def store(app: App, content: str, agent: str = "alice", **fields: object) -> StoreResult:
    """Store a memory of alice's."""
    return await app.graph.store(app.session(agent), NewFact(content, **fields))  # pyright: ignore[reportArgumentType]  # fields by name


async def update(app: App, id: str, agent: str = "alice", **fields: object) -> list[str]:
    """Change a memory of alice's; what changed."""
    request = FactChange(id, **fields)  # pyright: ignore[reportArgumentType]  # fields by name
    return (await app.graph.update(app.session(agent), request)).changed


_EXPIRE = """
UPDATE memories
SET expires_at = now() - interval '1 second'
WHERE expires_at IS NOT NULL
"""
_SETTLE = """
SELECT settle(ARRAY(SELECT id FROM memories))
"""


async def expire(app: App) -> None:
    """Let all memories that ever expire have done so a second ago; the clock is the database's."""
    await change(app, _EXPIRE)
    await change(app, _SETTLE)


async def found(app: App, query: str, agent: str = "alice") -> list[str]:
    """The texts that a search of memories gives."""
    request = SearchRequest(query, max_results=100, sources=("graph",), min_score=0.0)
    return [
        result.text for result in (await app.search.passages(app.session(agent), request)).results
    ]


def day(number: int, month: int = 1) -> datetime:
    """Noon of a day in 2026."""
    return datetime(2026, month, number, 12, tzinfo=UTC)
