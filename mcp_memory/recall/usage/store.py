"""The SQL of usage counts."""

from collections.abc import Mapping, Sequence

from mcp_memory.db.connection import Connection
from mcp_memory.recall.usage.models import Used, Uses

_ADD = "SELECT add_usage(%(ids)s, %(agents)s, %(returned)s, %(fetched)s)"


async def add(conn: Connection, counts: Mapping[Used, Uses]) -> None:
    """Add these to what is counted; run as the worker."""
    parameters = {
        "ids": [used.chunk_id for used in counts],
        "agents": [used.agent for used in counts],
        "returned": [uses.returned for uses in counts.values()],
        "fetched": [uses.fetched for uses in counts.values()],
    }
    await conn.execute(_ADD, parameters)


_OF = """
SELECT chunk_id, returned, fetched
FROM chunk_usage
WHERE chunk_id = ANY (%(ids)s) AND agent_id = current_agent()
"""


async def of(conn: Connection, ids: Sequence[int]) -> dict[int, Uses]:
    """The caller's own uses of these chunks, where there are any."""
    rows = await (await conn.execute(_OF, {"ids": list(ids)})).fetchall()
    return {int(row[0]): Uses(int(row[1]), int(row[2])) for row in rows}
