"""Making, checking and revoking keys. They live in the configured default database."""

import hmac
from collections.abc import Sequence

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.db.databases import Databases
from mcp_memory.db.names import checked_name
from mcp_memory.db.session import Session
from mcp_memory.errors import KeyNotFound
from mcp_memory.keys import store
from mcp_memory.keys.models import IssuedKey, Key, NewKey, Token


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
            checked_name(name)
        token = Token.fresh()
        async with self._session.maintaining() as conn:
            key = await store.add(conn, token.id, token.secret_hash, order)
            await audit.record(conn, Event(order.agent, "create", "key", key.id))
        return IssuedKey(key, token.text)

    async def list(self) -> Sequence[Key]:
        """Every key there ever was, oldest first."""
        async with self._session.maintaining() as conn:
            return await store.all_keys(conn)

    async def revoke(self, key_id: str) -> Sequence[Key]:
        """The key that is now revoked, or none if it was before; `KeyNotFound`."""
        async with self._session.maintaining() as conn:
            if not await store.is_known(conn, key_id):
                raise KeyNotFound(key_id)
            return await _record(conn, await store.revoke(conn, key_id=key_id))

    async def revoke_agent(self, agent: str) -> Sequence[Key]:
        """The keys of this agent that are now revoked."""
        async with self._session.maintaining() as conn:
            return await _record(conn, await store.revoke(conn, agent=agent))

    async def holder_of(self, text: str) -> Key | None:
        """The usable key that this text proves, or None."""
        token = Token.parsed(text)
        if token is None:
            return None
        async with self._session.maintaining() as conn:
            row = await store.usable_key(conn, token.id)
        if row is None:
            return None
        secret_hash, key = row
        return key if hmac.compare_digest(secret_hash, token.secret_hash) else None

    async def usable(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids whose keys are neither revoked nor expired."""
        async with self._session.maintaining() as conn:
            return await store.usable_ids(conn, ids)

    async def are_required(self) -> bool:
        """Whether a key was ever made: from then on every client over HTTP needs one."""
        async with self._session.maintaining() as conn:
            return await store.any_key(conn)


async def _record(conn: Connection, keys: Sequence[Key]) -> Sequence[Key]:
    """The keys, which were revoked just now."""
    for key in keys:
        await audit.record(conn, Event(key.agent, "revoke", "key", key.id))
    return keys
