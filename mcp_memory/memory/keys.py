"""Keys of HTTP: made, looked up, listed and revoked, and the text that a holder keeps."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Self

from psycopg.rows import class_row

from mcp_memory.errors import KeyNotFound
from mcp_memory.memory import audit
from mcp_memory.memory.audit import Event
from mcp_memory.postgres.addresses import check_name
from mcp_memory.postgres.connection import Connection
from mcp_memory.postgres.databases import Databases
from mcp_memory.postgres.session import Session

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "write", "admin")

_TOKEN = re.compile(r"mm_([0-9a-f]{12})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key to be made. `databases` None: all of them; `lifetime` None: until it is revoked."""

    agent: str
    scopes: Sequence[Scope] = ("read", "write")
    databases: Sequence[str] | None = None
    lifetime: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as the table knows it, without what proves it."""

    id: str
    agent: str
    scopes: list[Scope]
    databases: list[str] | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A key that has just been made: the only moment at which its text exists."""

    key: Key
    text: str


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """A key's text: `mm_`, the id that finds it, and 256 random bits that prove it."""

    id: str
    secret: str

    @classmethod
    def fresh(cls) -> Self:
        """A token that nobody has seen."""
        return cls(secrets.token_hex(6), secrets.token_urlsafe(32))

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The token that a text is, or None."""
        match = _TOKEN.fullmatch(text)
        return cls(match[1], match[2]) if match else None

    @property
    def text(self) -> str:
        """The whole token, for its holder alone."""
        return f"mm_{self.id}_{self.secret}"

    @property
    def secret_hash(self) -> bytes:
        """What is stored. So much randomness cannot be guessed: one fast hash is enough."""
        return hashlib.sha256(self.secret.encode()).digest()

    def __repr__(self) -> str:
        return f"Token({self.id})"


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


class Keys:
    """The keys of one configuration.

    Every check asks the database: what one process revokes, every other refuses from then on.
    """

    def __init__(self, databases: Databases) -> None:
        # No agent may see the table: every transaction is the worker's.
        self._session = Session("", databases.configured_default, databases)

    async def create(self, order: NewKey) -> IssuedKey:
        """A new key; its text is in the answer and nowhere else."""
        for name in order.databases or ():
            check_name(name)
        token = Token.fresh()
        async with self._session.maintaining() as conn:
            key = await add(conn, token.id, token.secret_hash, order)
            await audit.record(conn, Event(order.agent, "create", "key", key.id))
        return IssuedKey(key, token.text)

    async def list(self) -> Sequence[Key]:
        """Every key there ever was, oldest first."""
        async with self._session.maintaining() as conn:
            return await all_keys(conn)

    async def revoke(self, key_id: str) -> Sequence[Key]:
        """The key that is now revoked, or none if it was before; `KeyNotFound`."""
        async with self._session.maintaining() as conn:
            if not await is_known(conn, key_id):
                raise KeyNotFound(key_id)
            return await _record(conn, await revoke(conn, key_id=key_id))

    async def revoke_agent(self, agent: str) -> Sequence[Key]:
        """The keys of this agent that are now revoked."""
        async with self._session.maintaining() as conn:
            return await _record(conn, await revoke(conn, agent=agent))

    async def holder_of(self, text: str) -> Key | None:
        """The usable key that this text proves, or None."""
        token = Token.parse(text)
        if token is None:
            return None
        async with self._session.maintaining() as conn:
            row = await usable_key(conn, token.id)
        if row is None:
            return None
        secret_hash, key = row
        return key if hmac.compare_digest(secret_hash, token.secret_hash) else None

    async def usable(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids whose keys are neither revoked nor expired."""
        async with self._session.maintaining() as conn:
            return await usable_ids(conn, ids)

    async def are_required(self) -> bool:
        """Whether a key was ever made: from then on every client over HTTP needs one."""
        async with self._session.maintaining() as conn:
            return await any_key(conn)


async def _record(conn: Connection, keys: Sequence[Key]) -> Sequence[Key]:
    """The keys, which were revoked just now."""
    for key in keys:
        await audit.record(conn, Event(key.agent, "revoke", "key", key.id))
    return keys
