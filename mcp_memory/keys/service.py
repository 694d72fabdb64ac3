"""Making, checking and revoking keys. They live in the configured default database."""

import hmac
from collections.abc import Sequence

from mcp_memory import audit
from mcp_memory.audit import Event
from mcp_memory.db.connection import Connection
from mcp_memory.db.database import Database
from mcp_memory.db.databases import Databases
from mcp_memory.db.names import checked_name
from mcp_memory.errors import KeyNotFound
from mcp_memory.keys import store
from mcp_memory.keys.models import IssuedKey, Key, NewKey, Token


class Keys:
    """The keys of one configuration.

    Every check asks the database: what one process revokes, every other refuses from then on.
    """

    def __init__(self, databases: Databases) -> None:
        self._databases = databases

    async def create(self, order: NewKey) -> IssuedKey:
        """A new key; its text is in the answer and nowhere else."""
        for name in order.databases or ():
            checked_name(name)
        token = Token.fresh()

        async def add(conn: Connection) -> Key:
            key = await store.add(conn, token.id, token.secret_hash, order)
            await audit.record(conn, Event(order.agent, "create", "key", key.id))
            return key

        return IssuedKey(await (await self._database()).maintain(add), token.text)

    async def list(self) -> Sequence[Key]:
        """Every key there ever was, oldest first."""
        return await (await self._database()).maintain(store.all_keys)

    async def revoke(self, key_id: str) -> Sequence[Key]:
        """The key that is now revoked, or none if it was before; `KeyNotFound`."""

        async def end(conn: Connection) -> Sequence[Key]:
            if not await store.is_known(conn, key_id):
                raise KeyNotFound(key_id)
            return await _revoked(conn, await store.revoke(conn, key_id=key_id))

        return await (await self._database()).maintain(end)

    async def revoke_agent(self, agent: str) -> Sequence[Key]:
        """The keys of this agent that are now revoked."""

        async def end(conn: Connection) -> Sequence[Key]:
            return await _revoked(conn, await store.revoke(conn, agent=agent))

        return await (await self._database()).maintain(end)

    async def holder_of(self, text: str) -> Key | None:
        """The usable key that this text proves, or None."""
        token = Token.parsed(text)
        if token is None:
            return None
        database = await self._database()
        found = await database.maintain(lambda conn: store.usable_key(conn, token.id))
        if found is None:
            return None
        secret_hash, key = found
        return key if hmac.compare_digest(secret_hash, token.secret_hash) else None

    async def usable(self, ids: Sequence[str]) -> set[str]:
        """Those of the ids whose keys are neither revoked nor expired."""
        return await (await self._database()).maintain(lambda conn: store.usable_ids(conn, ids))

    async def are_required(self) -> bool:
        """Whether a key was ever made: from then on every client over HTTP needs one."""
        return await (await self._database()).maintain(store.any_key)

    async def _database(self) -> Database:
        return await self._databases.writing(self._databases.configured_default, "")


async def _revoked(conn: Connection, keys: Sequence[Key]) -> Sequence[Key]:
    for key in keys:
        await audit.record(conn, Event(key.agent, "revoke", "key", key.id))
    return keys
