"""The table of keys; every function here is for the worker, since no agent may see it."""

from collections.abc import Sequence
from datetime import timedelta

from psycopg.rows import class_row

from mcp_memory.db.connection import Connection
from mcp_memory.keys.models import Key, NewKey

_ADD = """
INSERT INTO api_keys (id, secret_hash, agent_id, scopes, databases, expires_at)
VALUES (
    %(id)s, %(secret_hash)s, %(agent)s, %(scopes)s, %(databases)s,
    now() + %(lifetime)s::interval
)
RETURNING id, agent_id AS agent, scopes, databases, created_at, expires_at, revoked_at
"""


async def add(conn: Connection, key_id: str, secret_hash: bytes, order: NewKey) -> Key:
    """The new key."""
    parameters: dict[str, str | bytes | list[str] | timedelta | None] = {
        "id": key_id,
        "secret_hash": secret_hash,
        "agent": order.agent,
        "scopes": list(order.scopes),
        "databases": None if order.databases is None else list(order.databases),
        "lifetime": order.lifetime,
    }
    async with conn.cursor(row_factory=class_row(Key)) as cursor:
        key = await (await cursor.execute(_ADD, parameters)).fetchone()
    assert key is not None
    return key


_ALL = """
SELECT id, agent_id AS agent, scopes, databases, created_at, expires_at, revoked_at
FROM api_keys
ORDER BY created_at, id
"""


async def all_keys(conn: Connection) -> Sequence[Key]:
    """Every key there ever was, oldest first."""
    async with conn.cursor(row_factory=class_row(Key)) as cursor:
        return await (await cursor.execute(_ALL)).fetchall()


_USABLE = """
SELECT secret_hash, id, agent_id AS agent, scopes, databases, created_at, expires_at, revoked_at
FROM api_keys
WHERE id = %(id)s AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""


async def usable_key(conn: Connection, key_id: str) -> tuple[bytes, Key] | None:
    """The key of this id, if it is neither revoked nor expired, and its secret's hash."""
    row = await (await conn.execute(_USABLE, {"id": key_id})).fetchone()
    return None if row is None else (bytes(row[0]), Key(*row[1:]))


_USABLE_IDS = """
SELECT id
FROM api_keys
WHERE id = ANY(%(ids)s) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
"""


async def usable_ids(conn: Connection, ids: Sequence[str]) -> set[str]:
    """Those of the ids whose keys are neither revoked nor expired."""
    rows = await (await conn.execute(_USABLE_IDS, {"ids": list(ids)})).fetchall()
    return {str(row[0]) for row in rows}


_ANY = "SELECT EXISTS (SELECT FROM api_keys)"


async def any_key(conn: Connection) -> bool:
    """Whether a key was ever made."""
    row = await (await conn.execute(_ANY)).fetchone()
    return row is not None and bool(row[0])


_REVOKE = """
UPDATE api_keys
SET revoked_at = now()
WHERE revoked_at IS NULL AND (id = %(id)s OR agent_id = %(agent)s)
RETURNING id, agent_id AS agent, scopes, databases, created_at, expires_at, revoked_at
"""


async def revoke(
    conn: Connection, *, key_id: str | None = None, agent: str | None = None
) -> Sequence[Key]:
    """The keys that this revoked: the one of this id, or all of this agent."""
    async with conn.cursor(row_factory=class_row(Key)) as cursor:
        return await (await cursor.execute(_REVOKE, {"id": key_id, "agent": agent})).fetchall()


_KNOWN = "SELECT EXISTS (SELECT FROM api_keys WHERE id = %(id)s)"


async def is_known(conn: Connection, key_id: str) -> bool:
    """Whether there is, or was, a key of this id."""
    row = await (await conn.execute(_KNOWN, {"id": key_id})).fetchone()
    return row is not None and bool(row[0])
