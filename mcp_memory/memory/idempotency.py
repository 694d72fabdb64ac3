"""The same write twice under one key: done once, answered twice."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from psycopg.types.json import Jsonb

from mcp_memory.errors import IdempotencyConflict, InvalidInput
from mcp_memory.postgres.connection import Connection

Response = dict[str, object]

_MAX_KEY_CHARS = 200


def check_key(key: str) -> str:
    """The key itself; `InvalidInput` when it cannot be one."""
    if len(key) > _MAX_KEY_CHARS or not key.isprintable():
        raise InvalidInput("idempotency_key", f"at most {_MAX_KEY_CHARS} printable characters")
    return key


def request_hash(request: Mapping[str, object]) -> bytes:
    """A fingerprint of what was asked for; equal requests have equal ones."""
    text = json.dumps(request, sort_keys=True, default=_plain, ensure_ascii=False)
    return hashlib.sha256(text.encode()).digest()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


async def once(
    conn: Connection, agent: str, key: str, request: bytes, do: Callable[[], Awaitable[Response]]
) -> Response:
    """Run `do` once per key; return its response, or the stored one when the key comes again.

    An empty key turns this off. A concurrent call with the same key waits for the first one's
    transaction and returns its response. Responses are stored: they must hold ids and numbers,
    never text.
    """
    if not key:
        return await do()
    await _lock_key(conn, agent, key)
    stored = await _load(conn, agent, key)
    if stored is None:
        response = await do()
        await _store(conn, agent, key, request, response)
        return response
    if stored[0] != request:
        raise IdempotencyConflict(key)
    return stored[1]


_LOCK_KEY = """
SELECT pg_advisory_xact_lock(hashtextextended('idempotency/' || %(agent)s || '/' || %(key)s, 0))
"""


async def _lock_key(conn: Connection, agent: str, key: str) -> None:
    await conn.execute(_LOCK_KEY, {"agent": agent, "key": key})


_LOAD = """
SELECT request_hash, response
FROM idempotency_keys
WHERE agent_id = %(agent)s AND key = %(key)s
"""


async def _load(conn: Connection, agent: str, key: str) -> tuple[bytes, Response] | None:
    row = await (await conn.execute(_LOAD, {"agent": agent, "key": key})).fetchone()
    return None if row is None else (bytes(row[0]), row[1])


_STORE = """
INSERT INTO idempotency_keys (agent_id, key, request_hash, response)
VALUES (%(agent)s, %(key)s, %(request_hash)s, %(response)s)
"""


async def _store(
    conn: Connection, agent: str, key: str, request: bytes, response: Response
) -> None:
    await conn.execute(
        _STORE,
        {"agent": agent, "key": key, "request_hash": request, "response": Jsonb(response)},
    )


_PURGE_EXPIRED = """
DELETE FROM idempotency_keys
WHERE created_at <= now() - %(age)s
  AND (%(owner)s::text IS NULL OR agent_id = %(owner)s)
"""


async def purge_expired(conn: Connection, age: timedelta, owner: str | None) -> int:
    """Forget keys older than this, of one owner or of all; how many."""
    return (await conn.execute(_PURGE_EXPIRED, {"age": age, "owner": owner})).rowcount
