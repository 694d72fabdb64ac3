"""One transaction with an identity: begun, worked in, committed, its end known or said unknown."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Literal

import psycopg

from mcp_memory.db.cancellation import Connection, Result
from mcp_memory.errors import DatabaseUnavailable, OutcomeUnknown

Work = Callable[[Connection], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a transaction runs. `role` is empty where the login could create none."""

    database: str
    role: str
    search_path: str
    agent: str
    is_worker: bool
    is_read_only: bool
    timeout_milliseconds: int
    client_check: str


class ConnectionLost(psycopg.OperationalError):
    """The connection was dead before anything was done on it: another one may be tried."""


# Everything is local to the transaction: behind a pooler the next one is somebody else's.
# read_only is never set to off, which a standby refuses and a read-only server would obey.
_ENTER = """
SELECT set_config('role', coalesce(nullif(%(role)s, ''), current_setting('role')), true),
       set_config('search_path', %(search_path)s, true),
       set_config('mcp_memory.agent', %(agent)s, true),
       set_config('mcp_memory.maintenance', CASE WHEN %(is_worker)s THEN 'on' ELSE '' END, true),
       set_config('statement_timeout', %(timeout_milliseconds)s::text, true),
       set_config('idle_in_transaction_session_timeout', %(timeout_milliseconds)s::text, true),
       set_config('transaction_read_only',
                  CASE WHEN %(is_read_only)s THEN 'on'
                       ELSE current_setting('transaction_read_only') END, true),
       set_config('client_connection_check_interval', %(client_check)s, true),
       set_config('plan_cache_mode', 'force_custom_plan', true),
       set_config('hnsw.iterative_scan', 'relaxed_order', true),
       set_config('hnsw.ef_search', '120', true),
       %(role)s = '' AND EXISTS (
           SELECT
           FROM pg_policy
           WHERE polrelid = to_regclass('mcp_memory.idempotency_keys') AND polname = 'worked_on'
       )
"""


async def transact(conn: Connection, identity: Identity, work: Work[Result]) -> Result:
    """What `work` returns, once it is committed."""
    stage: Literal["begin", "work", "commit"] = "begin"
    try:
        async with conn.transaction():
            await _enter(conn, identity)
            stage = "work"
            result = await work(conn)
            stage = "commit"
    except psycopg.OperationalError as exc:
        if conn.broken and stage == "begin":
            raise ConnectionLost(str(exc)) from exc
        if conn.broken and stage == "commit" and not identity.is_read_only:
            raise OutcomeUnknown(identity.database) from exc
        raise
    return result


async def _enter(conn: Connection, identity: Identity) -> None:
    """Take the identity. Policies written for two roles since would not hold the login itself."""
    row = await (await conn.execute(_ENTER, asdict(identity))).fetchone()
    if row is not None and row[-1]:
        raise DatabaseUnavailable(
            identity.database, "its login was given roles since this process began; start it anew"
        )
